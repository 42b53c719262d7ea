package config

import (
	"fmt"
	"strconv"
	"strings"
)

func setIsolation(c *Config, s string) error {
	switch s {
	case "best_effort", "required", "off":
		c.Isolation = s
		return nil
	}
	return fmt.Errorf("must be best_effort, required or off")
}

func setPorts(c *Config, s string) error {
	if s == "" {
		return nil
	}
	for field := range strings.SplitSeq(s, ",") {
		port, err := strconv.ParseUint(strings.TrimSpace(field), 10, 16)
		if err != nil || port == 0 {
			return fmt.Errorf("must be ports from 1 to 65535 with commas between, such as 8443,9443")
		}
		c.ConnectorPorts = append(c.ConnectorPorts, uint16(port))
	}
	return nil
}

// maxUID is the last user there can be: the one above it means "no change".
const maxUID = 1<<32 - 2

func setUIDs(c *Config, s string) error {
	if s == "" {
		return nil
	}
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	if err1 != nil || err2 != nil || first < 1 || last < first || last > maxUID {
		return fmt.Errorf("must be a range of users above 0, such as 61000-61099")
	}
	c.ConnectorUIDs = [2]int{int(first), int(last)}
	return nil
}
