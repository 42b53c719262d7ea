package daemon

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/sdk"
)

// Problem is one thing wrong with the configuration or the resources.
type Problem struct {
	Path string `json:"path"` // a key; in parentheses what is none
	Text string `json:"text"`
}

// CheckOptions are the command's: the configuration file, the environment, and
// what is no key of either.
type CheckOptions struct {
	Path     string
	Getenv   func(string) string
	Dev      bool
	Launcher string
}

// Report is what Check found.
type Report struct {
	Problems  []Problem
	Warnings  []Problem // what works and deserves a second thought
	Isolation string    // how far connectors are confined here, "" if the server does not start
}

// Check reports every problem that would keep the server or a sign-in from
// working: the file's, the files it names, the database's, and what the
// connectors say of their targets. It changes nothing but, on a database that
// can be reached, its version.
func Check(ctx context.Context, o CheckOptions) Report {
	c, err := config.Load(o.Path, o.Getenv)
	found, atFault := config.IsProblems(err)
	if err != nil && !atFault {
		return Report{Problems: []Problem{{"(file)", err.Error()}}}
	}
	c.Dev, c.Launcher = o.Dev, o.Launcher
	var problems []Problem
	for _, p := range found {
		problems = append(problems, Problem(p))
	}
	problems = append(problems, checkFiles(ctx, c)...)
	warnings := warningsOf(c)
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Path, b.Path) })
		return Report{Problems: problems, Warnings: warnings}
	}
	s, err := Open(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return Report{Problems: []Problem{{"(start)", err.Error()}}, Warnings: warnings}
	}
	isolation := s.Isolation()
	problems = append(checkIsolation(isolation), s.checkResources(ctx)...)
	wrong, odd := s.checkRules(ctx)
	problems, warnings = append(problems, wrong...), append(warnings, odd...)
	if err := s.Close(); err != nil {
		problems = append(problems, Problem{"(stop)", err.Error()})
	}
	return Report{Problems: problems, Warnings: warnings, Isolation: isolation.String()}
}

func warningsOf(c config.Config) []Problem {
	var out []Problem
	if c.MetricsExposed() {
		out = append(out, Problem{"metrics.listen", "is not a loopback address, and /metrics has no authentication: whoever reaches it reads it"})
	}
	if c.ListensInTheClear() {
		out = append(out, Problem{"listen", "is not a loopback address, and there is no tls.cert: passwords cross the network to it in the clear"})
	}
	return out
}

// checkIsolation reports what would keep connectors from being started.
func checkIsolation(i plugins.Isolation) []Problem {
	if i.Mode != plugins.IsolationRequired || i.Problem == "" {
		return nil
	}
	return []Problem{{"connectors.isolation", "is required, but here it is " + i.String()}}
}

// checkFiles looks at what the configuration names. A key without a value has a
// problem of its own already.
func checkFiles(ctx context.Context, c config.Config) []Problem {
	var out []Problem
	if c.SecretsKeyFile != "" {
		if _, err := keys.LoadSealer(c.SecretsKeyFile); err != nil {
			out = append(out, Problem{"secrets_key_file", strings.TrimPrefix(err.Error(), "secrets_key_file: ")})
		}
	}
	if c.ConnectorsDir != "" {
		if info, err := os.Stat(c.ConnectorsDir); err != nil {
			out = append(out, Problem{"connectors.dir", err.Error()})
		} else if !info.IsDir() {
			out = append(out, Problem{"connectors.dir", c.ConnectorsDir + " is not a folder"})
		}
	}
	if c.ConnectorsLock != "" {
		if _, err := readLock(c.ConnectorsLock); err != nil {
			out = append(out, Problem{"connectors.lock", err.Error()})
		}
	}
	if c.TLSCert != "" && c.TLSKey != "" {
		if _, err := loadCertificate(c.TLSCert, c.TLSKey, slog.New(slog.DiscardHandler), time.Now); err != nil {
			out = append(out, Problem{"tls", err.Error()})
		}
	}
	if c.Database != "" {
		if err := checkDatabase(ctx, c); err != nil {
			out = append(out, Problem{"database", err.Error()})
		}
	}
	return out
}

func checkDatabase(ctx context.Context, c config.Config) error {
	db, err := sqldb.Open(ctx, c.Database.Reveal())
	if err != nil {
		return err
	}
	return db.Close()
}

func (s *System) checkResources(ctx context.Context) []Problem {
	targets, err := s.Targets.List(ctx)
	if err != nil {
		return []Problem{{"targets", err.Error()}}
	}
	out := s.checkLock(ctx)
	for _, t := range targets {
		out = append(out, s.checkTarget(ctx, t)...)
	}
	return out
}

func (s *System) checkRules(ctx context.Context) (problems, warnings []Problem) {
	wrong, odd, err := s.Resources(os.Getenv).CheckRules(ctx)
	if err != nil {
		return []Problem{{"rule_sets", err.Error()}}, nil
	}
	for _, p := range wrong {
		problems = append(problems, Problem(p))
	}
	for _, p := range odd {
		warnings = append(warnings, Problem(p))
	}
	return problems, warnings
}

func (s *System) checkTarget(ctx context.Context, t provisioning.Target) []Problem {
	path := "targets." + string(t.Name)
	found, err := s.connections.Validate(ctx, t.Connector, sdk.RawConfig{Values: t.Config, Secrets: t.Secrets})
	if err != nil {
		return []Problem{{path + ".connector", err.Error()}}
	}
	var out []Problem
	for _, p := range found {
		out = append(out, Problem{path + ".config." + p.Field, p.Message})
	}
	if err := s.connections.CheckMapping(ctx, t); err != nil {
		out = append(out, Problem{path + ".mapping", err.Error()})
	}
	return out
}

// Migration is how far one line of migrations is.
type Migration struct {
	Line    string `json:"line"`
	Current int64  `json:"current"`
	Latest  int64  `json:"latest"`
}

// Migrate brings the database to this version, unless only the status is asked
// for, and returns how far each line is.
func Migrate(ctx context.Context, c config.Config, statusOnly bool) ([]Migration, error) {
	db, err := sqldb.Open(ctx, c.Database.Reveal())
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if !statusOnly {
		if err := db.Migrate(ctx, migrations()...); err != nil {
			return nil, err
		}
	}
	lines, err := db.MigrationStatus(ctx, migrations()...)
	if err != nil {
		return nil, err
	}
	out := make([]Migration, len(lines))
	for i, l := range lines {
		out[i] = Migration(l)
	}
	return out, nil
}
