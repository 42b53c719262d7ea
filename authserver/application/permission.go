package application

import (
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Permission is what an application may do for a user: the user allowed it, or it
// holds codes or tokens of theirs.
type Permission struct {
	Client provisioning.ClientID
	Name   string
	Scopes []string // sorted
	Since  time.Time
}
