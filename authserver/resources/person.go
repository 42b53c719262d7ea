package resources

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/anteroom-id/anteroom/authserver/user"
)

// ParsePerson reads one user with the keys that users have in a document, and returns
// them as they would be made, without an id. Whether the login is free is not asked.
// What is wrong with the values is [Problems].
func ParsePerson(raw []byte) (user.User, error) {
	var u User
	if len(bytes.TrimSpace(raw)) > 0 {
		if err := yaml.UnmarshalWithOptions(raw, &u, yaml.Strict()); err != nil {
			line, _, _ := strings.Cut(err.Error(), "\n")
			return user.User{}, fmt.Errorf("%s", line)
		}
	}
	var problems Problems
	if u.Password != nil {
		problems.add("password", "is no attribute; leave it out")
	}
	fresh, err := user.Check(u.over(user.User{}), "")
	problems.fromUser("", err)
	if len(problems) > 0 {
		return user.User{}, problems
	}
	return fresh, nil
}
