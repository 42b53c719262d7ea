package config

import (
	"fmt"
	"time"
)

// The bounds of a pushed request's life: RFC 9126 section 2.2 suggests 5 to 600
// seconds, and FAPI 2.0 wants less than 600.
const (
	minPushed = 10 * time.Second
	maxPushed = 9 * time.Minute
)

func setPushedLifetime(c *Config, s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < minPushed || d > maxPushed || d%time.Second != 0 {
		return fmt.Errorf("must be a duration of whole seconds from %s to %s, such as 90s", minPushed, maxPushed)
	}
	c.PushedLifetime = d
	return nil
}

func setRequirePushed(c *Config, s string) error { return setBool(&c.RequirePushed, s) }
