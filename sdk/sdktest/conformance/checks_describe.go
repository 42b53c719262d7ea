package conformance

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

func describeChecks() []Check {
	return []Check{
		{ID: "describe/pure", Demand: "says the same before and after it is configured, without asking the target", run: describePure},
		{ID: "describe/deterministic", Demand: "says the same every time", Bare: true, run: describeDeterministic},
		{ID: "describe/fast", Demand: "answers Describe within a second", Bare: true, run: describeFast},
		{ID: "describe/identity", Demand: "has a lower-case name and a semantic version", Bare: true, run: describeIdentity},
	}
}

func (s *Session) describe(ctx context.Context) (sdk.Description, error) {
	ctx, cancel := call(ctx)
	defer cancel()
	d, err := s.subject.client.Describe(ctx)
	return d, unexpected("Describe", err)
}

func describePure(ctx context.Context, s *Session) error {
	if _, err := s.target(ctx); err != nil {
		return err
	}
	before := s.requests()
	d, err := s.describe(ctx)
	if err != nil {
		return err
	}
	if after := s.requests(); after != before {
		return differs("Describe makes no request to the target", "%d requests", after-before)
	}
	return sameDescription("Describe after Configure says what it said before", s.desc, d)
}

// requests is how many requests have reached the proxy, 0 without one.
func (s *Session) requests() int {
	if s.proxy == nil {
		return 0
	}
	return len(s.proxy.Requests())
}

func sameDescription(expected string, a, b sdk.Description) error {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	for _, part := range []struct {
		name string
		x, y any
	}{
		{"name", a.Name, b.Name},
		{"version", a.Version, b.Version},
		{"display name", a.DisplayName, b.DisplayName},
		{"capabilities", a.Capabilities, b.Capabilities},
		{"config", a.Config, b.Config},
		{"attributes", a.Attributes, b.Attributes},
	} {
		if !reflect.DeepEqual(part.x, part.y) {
			return differs(expected, "%s %s, then %s", part.name, short(fmt.Sprintf("%+v", part.x)), short(fmt.Sprintf("%+v", part.y)))
		}
	}
	return differs(expected, "another description")
}

func describeDeterministic(ctx context.Context, s *Session) error {
	first, err := s.describe(ctx)
	if err != nil {
		return err
	}
	for range 4 {
		again, err := s.describe(ctx)
		if err != nil {
			return err
		}
		if err := sameDescription("each Describe says the same", first, again); err != nil {
			return err
		}
	}
	return nil
}

func describeFast(ctx context.Context, s *Session) error {
	begin := time.Now()
	if _, err := s.describe(ctx); err != nil {
		return err
	}
	if took := time.Since(begin); took > time.Second {
		return differs("Describe answers within 1s", "%s", took.Round(time.Millisecond))
	}
	return nil
}

var (
	namePattern    = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	versionPattern = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
)

func describeIdentity(_ context.Context, s *Session) error {
	var problems []error
	if !namePattern.MatchString(s.desc.Name) {
		problems = append(problems, differs("the name matches "+namePattern.String(), "%q", s.desc.Name))
	}
	if !versionPattern.MatchString(s.desc.Version) {
		problems = append(problems, differs("the version is semantic, such as 1.2.3", "%q", s.desc.Version))
	}
	if s.desc.DisplayName == "" {
		problems = append(problems, differs("there is a display name", "none"))
	}
	return errors.Join(problems...)
}

func schemaChecks() []Check {
	return []Check{
		{ID: "schema/fields", Demand: "declares configuration fields that do not contradict themselves", Bare: true, run: schemaFields},
		{ID: "schema/secrets-marked", Demand: "marks what is a secret as one", Bare: true, run: schemaSecrets},
		{ID: "schema/attributes", Demand: "declares attributes that do not contradict themselves", Bare: true, run: schemaAttributes},
		{ID: "schema/key", Demand: "declares an attribute by which accounts are found", Bare: true, run: schemaKey},
		{ID: "schema/capabilities", Demand: "declares each capability once", Bare: true, run: schemaCapabilities},
	}
}

func schemaFields(_ context.Context, s *Session) error {
	var problems []error
	names := map[string]bool{}
	for _, f := range s.desc.Config {
		wrong := fieldProblem(f)
		if names[f.Name] {
			wrong = "is declared twice"
		}
		names[f.Name] = true
		if wrong != "" {
			problems = append(problems, differs("every field is sound", "%q %s", f.Name, wrong))
		}
	}
	return errors.Join(problems...)
}

func fieldProblem(f sdk.Field) string {
	switch {
	case f.Name == "":
		return "has no name"
	case f.Required && f.Default != "":
		return "is required and has a default"
	case f.Secret && (f.Default != "" || len(f.Enum) > 0):
		return "is a secret and has a default or an enum"
	case f.Enum != nil && f.Default != "" && f.Type == sdk.FieldString && !slices.Contains(f.Enum, f.Default):
		return "has a default outside its enum"
	}
	var err error
	switch f.Type {
	case sdk.FieldString, sdk.FieldStrings:
		return ""
	case sdk.FieldBool:
		_, err = strconv.ParseBool(f.Default)
	case sdk.FieldInt:
		_, err = strconv.Atoi(f.Default)
	case sdk.FieldDuration:
		_, err = time.ParseDuration(f.Default)
	default:
		return fmt.Sprintf("has the unknown type %q", f.Type)
	}
	if err != nil && f.Default != "" {
		return fmt.Sprintf("has the default %q, which is no %s", f.Default, f.Type)
	}
	return ""
}

// secretWords are what secrets are called.
var secretWords = regexp.MustCompile(`(?i)(password|passwd|passphrase|secret|token|api_?key|private_?key|credential)s?$`)

func schemaSecrets(_ context.Context, s *Session) error {
	var problems []error
	found := false
	for _, f := range s.desc.Config {
		found = found || f.Secret
		if !f.Secret && f.Type == sdk.FieldString && f.Enum == nil && secretWords.MatchString(f.Name) {
			problems = append(problems, differs(fmt.Sprintf("the field %q is marked as a secret", f.Name), "it is an ordinary field, shown and stored in the clear"))
		}
	}
	if !found && len(problems) == 0 {
		return skip("no field is a secret or is called like one")
	}
	return errors.Join(problems...)
}

func schemaAttributes(_ context.Context, s *Session) error {
	var problems []error
	names, ranks, owners := map[string]bool{}, map[int]bool{}, 0
	for _, a := range s.desc.Attributes {
		wrong := ""
		switch {
		case a.Name == "":
			wrong = "has no name"
		case names[a.Name]:
			wrong = "is declared twice"
		case !slices.Contains([]sdk.AttributeType{sdk.AttributeString, sdk.AttributeBool, sdk.AttributeNumber, sdk.AttributeObject}, a.Type):
			wrong = fmt.Sprintf("has the unknown type %q", a.Type)
		case a.Correlate > 0 && ranks[a.Correlate]:
			wrong = "has the correlation rank of another"
		case a.Correlate > 0 && (a.Type != sdk.AttributeString || a.MultiValued):
			wrong = "correlates and is not a single text"
		case a.Correlate < 0:
			wrong = "has a negative correlation rank"
		}
		names[a.Name], ranks[a.Correlate] = true, true
		if a.Owner {
			owners++
		}
		if wrong != "" {
			problems = append(problems, differs("every attribute is sound", "%q %s", a.Name, wrong))
		}
	}
	if owners > 1 {
		problems = append(problems, differs("at most one attribute holds the owner", "%d", owners))
	}
	return errors.Join(problems...)
}

func schemaKey(_ context.Context, s *Session) error {
	if len(s.people.keys()) == 0 {
		return differs("an attribute has a correlation rank above 0", "none")
	}
	return nil
}

func schemaCapabilities(_ context.Context, s *Session) error {
	have := slices.Clone(s.desc.Capabilities)
	slices.Sort(have)
	if once := slices.Compact(slices.Clone(have)); len(once) != len(have) {
		return differs("each capability once", "%s", strings.Join(words(have), ", "))
	}
	return nil
}

func words[S ~string](in []S) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = string(s)
	}
	return out
}
