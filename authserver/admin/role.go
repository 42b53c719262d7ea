package admin

import (
	"errors"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Role is what an administrator is trusted with.
type Role string

// The roles, each of which may do what the ones below it may.
const (
	RoleAdmin    Role = "admin"    // changes how things are set up
	RoleOperator Role = "operator" // keeps things going: retries, holds, decides, helps users
	RoleAuditor  Role = "auditor"  // looks
)

// Permission is what a page or an operation asks of its visitor.
type Permission string

// The permissions.
const (
	PermissionView      Permission = "view"
	PermissionOperate   Permission = "operate"
	PermissionConfigure Permission = "configure"
)

// ErrNone means the user is no administrator.
var ErrNone = errors.New("not an administrator")

// Roles returns all roles, the one that may do most first.
func Roles() []Role { return []Role{RoleAdmin, RoleOperator, RoleAuditor} }

// ParseRole returns the role of that name.
func ParseRole(name string) (Role, error) {
	for _, r := range Roles() {
		if string(r) == name {
			return r, nil
		}
	}
	return "", fmt.Errorf("role must be admin, operator or auditor, not %q", name)
}

// May reports whether the role has the permission. An unknown role or permission
// has and gives nothing.
func (r Role) May(p Permission) bool {
	switch p {
	case PermissionView:
		return r == RoleAuditor || r == RoleOperator || r == RoleAdmin
	case PermissionOperate:
		return r == RoleOperator || r == RoleAdmin
	case PermissionConfigure:
		return r == RoleAdmin
	default:
		return false
	}
}

// Administrator is a user with a role.
type Administrator struct {
	User      provisioning.UserID
	Login     string
	Role      Role
	GrantedAt time.Time
}
