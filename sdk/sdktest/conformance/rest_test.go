package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// defect is what is wrong with a rest connector; "" for nothing. Each stands for
// one if in the code below.
type defect string

type restConfig struct {
	BaseURL string        `config:"base_url,required" help:"Root of the API."`
	Token   sdk.Secret    `config:"token,required"`
	Order   string        `config:"order" enum:"id,name" default:"id"`
	Field   string        `config:"field,required" when:"order=name" help:"Not needed by the order that is used."`
	Timeout time.Duration `config:"timeout" default:"10s"`
}

// rest is a connector for package target's API with everything a connector can
// have, and one defect.
type rest struct {
	restConfig
	client *http.Client
	defect defect

	mu     sync.Mutex
	kept   [][]byte // what a growing connector keeps
	turn   sync.Mutex
	body   map[string]any
	groups map[string]bool
	shared sdk.LookupRequest // what a careless connector shares between calls
}

func restConnector(d defect) sdk.Connector {
	open := func(_ context.Context, c restConfig) (*rest, error) {
		r := &rest{restConfig: c, client: &http.Client{}, defect: d}
		if d == "follows anywhere" {
			r.client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
				req.Header.Set("Authorization", via[0].Header.Get("Authorization"))
				return nil
			}
		}
		return r, nil
	}
	return sdk.Define("rest", "1.0.0", open, sdk.WithAttributes(
		sdk.Attribute{Name: "name", Required: true, CaseExact: true, Correlate: 2, Source: "user.login"},
		sdk.Attribute{Name: "owner", CaseExact: true, Correlate: 1, Owner: true, Source: "user.id"},
		sdk.Attribute{Name: "given", CaseExact: true, Source: "user.given_name"},
		sdk.Attribute{Name: "title", CaseExact: true},
		sdk.Attribute{Name: "email", Source: "user.email"},
	))
}

func (r *rest) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	if r.defect == "shares state" {
		r.mu.Lock()
		r.shared = req
		r.mu.Unlock()
		time.Sleep(time.Millisecond)
		r.mu.Lock()
		req = r.shared
		r.mu.Unlock()
	}
	if r.defect == "locks while it waits" {
		r.turn.Lock()
		defer r.turn.Unlock()
	}
	var page struct{ Users []map[string]any }
	query := url.Values{req.Key: {req.Value}}.Encode()
	if r.defect == "builds queries from text" {
		query = req.Key + "=" + req.Value
	}
	if err := r.do(ctx, http.MethodGet, "/users?"+query, nil, &page); err != nil {
		if r.defect == "nobody for unreadable" && sdk.KindOf(err) == sdk.KindInternal {
			return nil, nil
		}
		return nil, err
	}
	if r.defect == "creates whom it looks for" && len(page.Users) == 0 {
		_, _ = r.Create(ctx, sdk.CreateRequest{Attributes: sdk.Attributes{"name": req.Value, "owner": req.Value}})
	}
	if r.defect == "absent is an error" && len(page.Users) == 0 {
		return nil, sdk.NotFound("there is nobody")
	}
	var found []sdk.Account
	for _, u := range page.Users {
		found = append(found, r.account(u))
	}
	return found, nil
}

func (r *rest) account(u map[string]any) sdk.Account {
	a := sdk.Account{Attributes: sdk.Attributes{}}
	a.ID, _ = u["id"].(string)
	for _, name := range []string{"name", "owner", "given", "title", "email"} {
		if v, ok := u[name]; ok {
			a.Attributes[name] = v
		}
	}
	if active, ok := u["active"].(bool); ok {
		a.Active = &active
	}
	return a
}

func (r *rest) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	body := map[string]any{"active": req.Active}
	for name, v := range req.Attributes {
		body[name] = v
	}
	switch r.defect {
	case "drops an attribute":
		delete(body, "title")
	case "cuts long values":
		if title := req.Attributes.String("title"); len(title) > 255 {
			body["title"] = title[:255]
		}
		if given := req.Attributes.String("given"); len(given) > 255 {
			body["given"] = given[:255]
		}
	case "always active":
		body["active"] = true
	case "drops other scripts":
		for name, v := range req.Attributes {
			body[name] = strings.Map(ascii, fmt.Sprint(v))
		}
	case "creates share state":
		body = r.share(body)
	}
	var u map[string]any
	err := r.do(ctx, http.MethodPost, "/users", body, &u)
	switch {
	case err != nil && r.defect == "double create" && sdk.KindOf(err) == sdk.KindConflict:
		body["name"] = fmt.Sprint(body["name"], " 2") // "it works"
		err = r.do(ctx, http.MethodPost, "/users", body, &u)
	case err != nil && r.defect == "conflict as success" && sdk.KindOf(err) == sdk.KindConflict:
		found, lookup := r.Lookup(ctx, sdk.LookupRequest{Key: "name", Value: req.Attributes.String("name")})
		if lookup == nil && len(found) == 1 {
			return found[0], nil
		}
	case r.defect == "retries blindly" && sdk.KindOf(err) == sdk.KindOutcomeUnknown && ctx.Err() == nil:
		err = r.do(ctx, http.MethodPost, "/users", body, &u)
	}
	if err != nil {
		return sdk.Account{}, err
	}
	return r.made(u)
}

func ascii(c rune) rune {
	if c > '~' {
		return -1
	}
	return c
}

// share keeps what belongs to one call where all calls see it.
func (r *rest) share(body map[string]any) map[string]any {
	r.mu.Lock()
	r.body = body
	r.mu.Unlock()
	time.Sleep(time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.body)
}

func (r *rest) made(u map[string]any) (sdk.Account, error) {
	a := r.account(u)
	switch {
	case a.ID == "" && r.defect == "invents an id":
		a.ID = "unknown"
	case r.defect == "another id on create":
		a.ID = "user/" + a.ID
	case a.ID == "":
		return a, sdk.OutcomeUnknown(errors.New("no id in the answer"))
	}
	return a, nil
}

func (r *rest) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	switch r.defect {
	case "panics":
		panic("not yet written")
	case "dies":
		os.Exit(3)
	case "prints secrets":
		fmt.Fprintln(os.Stderr, "PATCH with", r.Token.Reveal())
	}
	body := map[string]any{}
	for name, v := range req.Set {
		body[name] = v
	}
	for _, name := range req.Clear {
		body[name] = nil
	}
	switch r.defect {
	case "updates what was not named":
		body["email"] = "elsewhere@example.org"
	case "ignores clear":
		for _, name := range req.Clear {
			delete(body, name)
		}
	case "clears too much":
		if len(req.Clear) > 0 {
			body["given"], body["title"] = nil, nil
		}
	case "update does nothing":
		body = map[string]any{}
	}
	a, err := r.patch(ctx, req.ID, body)
	switch {
	case r.defect == "not found as internal" && sdk.KindOf(err) == sdk.KindNotFound:
		err = &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: "not there"}
	case r.defect == "update creates" && sdk.KindOf(err) == sdk.KindNotFound:
		return sdk.Account{ID: req.ID}, nil
	case r.defect == "id changes" && err == nil:
		a.ID += "-2"
	}
	return a, err
}

func (r *rest) patch(ctx context.Context, id string, body map[string]any) (sdk.Account, error) {
	var u map[string]any
	err := r.do(ctx, http.MethodPatch, "/users/"+url.PathEscape(id), body, &u)
	return r.account(u), err
}

func (r *rest) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	var u map[string]any
	err := r.do(ctx, http.MethodGet, "/users/"+url.PathEscape(req.ID), nil, &u)
	return r.account(u), err
}

func (r *rest) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	body := map[string]any{"active": req.Active}
	switch {
	case r.defect == "suspend wipes" && !req.Active:
		body["given"], body["title"] = nil, nil
	case r.defect == "suspend does nothing":
		body = map[string]any{}
	}
	return r.patch(ctx, req.ID, body)
}

func (r *rest) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	if r.defect == "delete does nothing" {
		return nil
	}
	err := r.do(ctx, http.MethodDelete, "/users/"+url.PathEscape(req.ID), nil, nil)
	if sdk.KindOf(err) == sdk.KindNotFound && r.defect != "second delete fails" {
		return nil
	}
	return err
}

func (r *rest) List(ctx context.Context, req sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	return func(yield func(sdk.Account, error) bool) {
		for after := ""; ; {
			query := url.Values{"after": {after}}
			if req.PageSize > 0 {
				query.Set("limit", strconv.Itoa(req.PageSize))
			}
			var page struct {
				Users []map[string]any
				Next  string
			}
			if err := r.do(ctx, http.MethodGet, "/users?"+query.Encode(), nil, &page); err != nil {
				yield(sdk.Account{}, err)
				return
			}
			for _, u := range page.Users {
				if !yield(r.account(u), nil) {
					return
				}
			}
			if after = page.Next; after == "" || r.defect == "first page only" {
				return
			}
		}
	}
}

func (r *rest) SetGroups(ctx context.Context, req sdk.SetGroupsRequest) error {
	groups := append([]string{}, req.Groups...)
	if key := fmt.Sprint(req.ID, groups); r.defect == "groups once" {
		if r.groups[key] {
			return sdk.Conflict("they are in these groups already")
		}
		r.groups = map[string]bool{key: true}
	}
	err := r.do(ctx, http.MethodPut, "/users/"+url.PathEscape(req.ID)+"/groups", groups, nil)
	if r.defect == "unknown groups are fine" && sdk.KindOf(err) == sdk.KindInvalid {
		return nil
	}
	return err
}

func (r *rest) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	step := sdk.CheckStep{Name: "credentials", Status: sdk.CheckPassed, Detail: "the target accepts them"}
	method, path := http.MethodGet, "/users?limit=1"
	if r.defect == "check writes" {
		method, path = http.MethodPost, "/users"
	}
	err := r.do(ctx, method, path, nil, nil)
	if err != nil && r.defect != "check always passes" && r.defect != "check writes" {
		step.Status, step.Detail, step.Fix = sdk.CheckFailed, err.Error(), "Check the token."
	}
	return []sdk.CheckStep{step}, nil
}

// do makes one request and reads the answer into into, if that is not nil.
func (r *rest) do(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	r.misbehave()
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.BaseURL+path, bytes.NewReader(encoded))
	if err != nil {
		return &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Message: "the address cannot be requested"}
	}
	req.Header.Set("Authorization", "Bearer "+r.Token.Reveal())
	resp, err := r.client.Do(req)
	if err != nil {
		return r.lost(method, err)
	}
	defer resp.Body.Close()
	limit := int64(1 << 20)
	if r.defect == "reads everything" {
		limit = 1 << 40
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	switch {
	case resp.StatusCode/100 != 2:
		return r.refused(method, resp, answer)
	case err != nil:
		return r.lost(method, err)
	case into == nil || json.Unmarshal(answer, into) == nil:
		return nil
	case method == http.MethodGet:
		return &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: "the answer is no JSON"}
	}
	return sdk.OutcomeUnknown(errors.New("the answer is no JSON"))
}

func (r *rest) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	switch r.defect {
	case "ignores the deadline":
		return context.WithTimeout(context.Background(), 5*time.Second)
	case "ignores cancel":
		deadline, _ := ctx.Deadline()
		return context.WithDeadline(context.Background(), deadline)
	case "gives up early", "a timeout is no effect":
		return context.WithTimeout(ctx, 100*time.Millisecond)
	}
	return context.WithCancel(ctx)
}

// misbehave does what has nothing to do with the request.
func (r *rest) misbehave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.defect == "grows" && len(r.kept) < 80 {
		b := make([]byte, 4<<20)
		for i := range b {
			b[i] = byte(i)
		}
		r.kept = append(r.kept, b)
	}
}

// lost is a request without an answer.
func (r *rest) lost(method string, err error) error {
	var wrapped *url.Error
	message := "the connection was lost"
	if errors.As(err, &wrapped) {
		err = wrapped.Err
		if r.defect == "shows addresses" {
			message = wrapped.Error()
		}
	}
	switch {
	case r.defect == "unknown as transient without effect", r.defect == "a timeout is no effect":
		return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: message}
	case r.defect == "closed port as invalid" && strings.Contains(err.Error(), "connection refused"):
		return sdk.Invalid("base_url", "nobody is there")
	case method == http.MethodGet || strings.Contains(err.Error(), "connection refused"):
		return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: message}
	}
	return sdk.OutcomeUnknown(err)
}

func (r *rest) refused(method string, resp *http.Response, answer []byte) error {
	e := sdk.FromHTTP(resp.StatusCode, resp.Header)
	if resp.StatusCode/100 == 3 {
		e = &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: "base_url", Message: "the target redirects"}
	}
	switch r.defect {
	case "every status is transient":
		e = sdk.Transient("failed", nil)
	case "429 without retry after":
		e.RetryAfter = 0
	case "retry after in seconds only":
		if _, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil {
			e.RetryAfter = 0
		}
	case "500 without effect":
		e.Effect = sdk.EffectNone
	case "412 as conflict":
		if resp.StatusCode == http.StatusPreconditionFailed {
			e.Kind = sdk.KindConflict
		}
	case "503 as unsupported":
		if resp.StatusCode == http.StatusServiceUnavailable {
			e.Kind = sdk.KindUnsupported
		}
	case "leaks the secret in an error":
		e.Message = "request with token " + r.Token.Reveal() + " failed"
	case "repeats the answer":
		e.Message += ": " + string(answer)
	}
	return e
}
