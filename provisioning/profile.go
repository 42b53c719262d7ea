package provisioning

import "context"

// Profile is a user as mappings and rules see them. Never a password or token.
type Profile struct {
	ID            UserID
	Login         string
	Email         string
	EmailVerified bool
	GivenName     string
	FamilyName    string
	Name          string
	Locale        string
	PhoneNumber   string
	Active        bool
	Groups        []string
	Claims        map[string][]string
	// Source is the upstream provider the user came from; "" for one of our own.
	Source string
}

// Users reads users from their store.
type Users interface {
	// Profile returns the user, or ErrUserNotFound when there is none (deleted
	// ones count as none).
	Profile(ctx context.Context, id UserID) (Profile, error)
}
