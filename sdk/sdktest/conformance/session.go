package conformance

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

const (
	// patience is how long any call may take that has nothing to wait for.
	patience = 15 * time.Second
	// checkTime bounds one check.
	checkTime = 2 * time.Minute
	// dyingTime is how long it may take to see that a process has ended.
	dyingTime = 100 * time.Millisecond
)

// Session is a connector under test. Its methods are called one after another.
type Session struct {
	opts    Options
	run     string // unique to this run, in every name it makes
	watch   *watch
	desc    sdk.Description
	config  sdk.RawConfig
	proxy   *faultproxy.Proxy // nil without URLField
	server  *http.Server      // serves Options.Target, nil without
	people  people
	deaths  []string // how processes ended that should not have
	created []string // ids to clean up

	subject    *subject
	configured bool
}

// Open starts the connector and reads its description. Close follows.
func Open(ctx context.Context, opts Options) (*Session, error) {
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	s := &Session{opts: opts, run: "kit-" + strings.ToLower(rand.Text()[:6]), watch: newWatch()}
	if err := s.begin(ctx); err != nil {
		s.Close(ctx)
		return nil, err
	}
	return s, nil
}

func (s *Session) begin(ctx context.Context) error {
	var err error
	if s.subject, err = s.start(ctx); err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if s.desc, err = s.subject.client.Describe(call); err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	config, err := s.placeProxy(maps.Clone(s.opts.Config))
	if err != nil {
		return err
	}
	if s.config, err = rawConfig(config, s.desc); err != nil {
		return err
	}
	s.watch.forbid(s.config.Secrets, s.run)
	s.people = newPeople(s.desc, s.opts.Account, s.run)
	return nil
}

// placeProxy puts the target's address into the configuration, by way of the
// proxy.
func (s *Session) placeProxy(config map[string]any) (map[string]any, error) {
	if s.opts.URLField == "" {
		return config, nil
	}
	if config == nil {
		config = map[string]any{}
	}
	upstream, _ := config[s.opts.URLField].(string)
	if s.opts.Target != nil {
		address, err := s.serveTarget()
		if err != nil {
			return nil, err
		}
		u, err := url.Parse(upstream)
		if err != nil {
			return nil, fmt.Errorf("configuration: %s: %w", s.opts.URLField, err)
		}
		upstream = "http://" + address + u.Path
	}
	proxy, err := faultproxy.New(upstream)
	if err != nil {
		return nil, fmt.Errorf("configuration: %s: %w", s.opts.URLField, err)
	}
	s.proxy = proxy
	config[s.opts.URLField] = proxy.URL
	return config, nil
}

func (s *Session) serveTarget() (address string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s.server = &http.Server{Handler: s.opts.Target}
	go func() { _ = s.server.Serve(listener) }()
	return listener.Addr().String(), nil
}

// Description is what the connector says of itself.
func (s *Session) Description() sdk.Description { return s.desc }

// Mode is "in_process" or "process".
func (s *Session) Mode() string {
	if len(s.opts.Command) > 0 {
		return "process"
	}
	return "in_process"
}

// Checks returns the checks that [Options.Select] picks, in order.
func (s *Session) Checks() []Check {
	return slices.DeleteFunc(Checks(), func(c Check) bool { return s.opts.Select != nil && !s.opts.Select(c.ID) })
}

// Run carries out one check.
func (s *Session) Run(ctx context.Context, c Check) Result {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	r := Result{ID: c.ID, Demand: c.Demand, Status: Passed}
	err := s.attempt(ctx, c)
	var o *omitted
	switch {
	case errors.As(err, &o):
		r.Status, r.Reason = o.status, o.reason
	case err != nil:
		r.Status, r.Findings = Failed, s.watch.redact(findings(err))
	}
	r.TookMS = milliseconds(time.Since(begin))
	return r
}

// attempt runs the check where it applies, on a connector that lives.
func (s *Session) attempt(ctx context.Context, c Check) error {
	switch {
	case c.Capability != "" && !s.desc.Has(c.Capability):
		return skip(fmt.Sprintf("the connector does not declare %q", c.Capability))
	case c.Process && len(s.opts.Command) == 0:
		return notRun("no process of its own")
	case c.Proxy && s.proxy == nil:
		return notRun("no proxy before the target")
	}
	if err := s.revive(ctx); err != nil {
		return err
	}
	if !c.Bare {
		limited, cancel := call(ctx)
		defer cancel()
		if _, err := s.target(limited); err != nil {
			return notRun("it could not be configured: see configure/accepts")
		}
	}
	err := c.run(ctx, s)
	if err != nil && s.subject.child != nil {
		s.subject.child.ends(dyingTime) // if that is why: the next check needs to know
	}
	return err
}

// revive starts the connector again if its process has ended.
func (s *Session) revive(ctx context.Context) error {
	if s.subject.alive() {
		return nil
	}
	s.deaths = append(s.deaths, s.subject.exit())
	s.subject.stop()
	fresh, err := s.start(ctx)
	if err != nil {
		return fmt.Errorf("start the connector again: %w", err)
	}
	s.subject, s.configured = fresh, false
	return nil
}

// RunAll runs every check and tells of each as it ends; told may be nil.
func (s *Session) RunAll(ctx context.Context, told func(Result)) Report {
	var results []Result
	for _, c := range s.Checks() {
		r := s.Run(ctx, c)
		if told != nil {
			told(r)
		}
		results = append(results, r)
	}
	return NewReport(s.desc, s.Mode(), results)
}

// Close deletes what the run made, where it can, and ends the connector.
func (s *Session) Close(ctx context.Context) {
	if s.subject != nil {
		s.cleanUp(ctx)
		s.subject.stop()
	}
	if s.proxy != nil {
		s.proxy.Close()
	}
	if s.server != nil {
		_ = s.server.Close()
	}
}

func (s *Session) cleanUp(ctx context.Context) {
	if !s.desc.Has(sdk.CapabilityDelete) || len(s.created) == 0 || !s.subject.alive() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	target, err := s.target(ctx)
	if err != nil {
		return
	}
	for _, id := range s.created {
		_ = target.Delete(ctx, sdk.DeleteRequest{Operation: s.operation(), ID: id})
	}
}

// mainInstance is the one that the verbs are tried on.
func mainInstance() wire.Instance { return wire.Instance{ID: "kit", Generation: 1} }

// target returns the verbs of the main instance.
func (s *Session) target(ctx context.Context) (*wire.Remote, error) {
	if !s.configured {
		if err := s.subject.client.Configure(ctx, mainInstance(), s.config); err != nil {
			return nil, unexpected("Configure with the given configuration", err)
		}
		s.configured = true
	}
	return s.subject.client.Remote(mainInstance()), nil
}

// other configures an instance with fields of the configuration replaced.
func (s *Session) other(ctx context.Context, id string, replace map[string]any) (*wire.Remote, error) {
	config, err := s.withValues(replace)
	if err != nil {
		return nil, err
	}
	in := wire.Instance{ID: id, Generation: 1}
	if err := s.subject.client.Configure(ctx, in, config); err != nil {
		return nil, unexpected("Configure of another instance", err)
	}
	return s.subject.client.Remote(in), nil
}

// withValues is the configuration with values replaced; nil takes one away.
func (s *Session) withValues(replace map[string]any) (sdk.RawConfig, error) {
	values := map[string]any{}
	if err := json.Unmarshal(s.config.Values, &values); err != nil {
		return sdk.RawConfig{}, err
	}
	maps.Copy(values, replace)
	maps.DeleteFunc(values, func(_ string, v any) bool { return v == nil })
	encoded, err := json.Marshal(values)
	return sdk.RawConfig{Values: encoded, Secrets: maps.Clone(s.config.Secrets)}, err
}

// operation is a new intent.
func (s *Session) operation() sdk.Operation {
	return sdk.Operation{ID: rand.Text(), Attempt: 1}
}

// call bounds one call.
func call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, patience)
}
