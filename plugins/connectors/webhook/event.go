package webhook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// The types of events.
const (
	typeLookup    = "account.lookup"
	typeGet       = "account.get"
	typeCreate    = "account.create"
	typeUpdate    = "account.update"
	typeSetActive = "account.set_active"
	typeDelete    = "account.delete"
	typePing      = "ping"
)

// event is what is sent.
type event struct {
	Type      string     `json:"type"`
	Timestamp time.Time  `json:"timestamp"`
	Operation *operation `json:"operation,omitempty"` // of a write
	Data      any        `json:"data"`

	values []string // of the user
	named  bool     // the data name an account by its id
}

type operation struct {
	ID      string `json:"id"`
	Attempt int    `json:"attempt"`
	Dialog  bool   `json:"dialog"`
}

func operationOf(o sdk.Operation) *operation {
	return &operation{ID: o.ID, Attempt: o.Attempt, Dialog: o.Dialog}
}

// The data of the events.
type (
	lookupData struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	getData struct {
		ID string `json:"id"`
	}
	createData struct {
		Attributes sdk.Attributes `json:"attributes"`
		Active     bool           `json:"active"`
	}
	updateData struct {
		ID      string         `json:"id"`
		Version string         `json:"version,omitempty"`
		Set     sdk.Attributes `json:"set"`
		Clear   []string       `json:"clear"`
	}
	setActiveData struct {
		ID     string `json:"id"`
		Active bool   `json:"active"`
	}
	deleteData struct {
		ID string `json:"id"`
	}
)

// id is the idempotency key: the type belongs to it, because one operation may
// take several events. There is no full stop in it, which parts the signed text.
func (e event) id() string {
	if e.Operation == nil {
		return "read_" + rand.Text()
	}
	kinds := map[string]string{typeCreate: "create", typeUpdate: "update", typeSetActive: "set_active", typeDelete: "delete"}
	return kinds[e.Type] + "_" + e.Operation.ID
}

// send delivers an event and returns a 2xx answer other than 202.
func (t *Target) send(ctx context.Context, e event) (*sdkhttp.Response, error) {
	e.Timestamp = t.signer.now().UTC().Truncate(time.Second)
	body, err := json.Marshal(e)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: "the event cannot be encoded", Err: err}
	}
	header := t.signer.sign(e.id(), body)
	header.Set("Content-Type", "application/json")
	resp, err := t.http.Do(ctx, sdkhttp.Request{
		Method: http.MethodPost, URL: t.url.String(), Header: header, Body: body,
		ReadOnly: e.Operation == nil, Values: e.values,
	})
	switch {
	case err != nil:
		return nil, e.refused(resp, err)
	case resp.Status == http.StatusAccepted:
		return nil, t.accepted(e, resp)
	}
	return resp, nil
}

// refused gives 404 and 410 the meaning that is declared for this event.
func (e event) refused(resp *sdkhttp.Response, err error) error {
	if resp == nil {
		return err
	}
	if resp.Status == http.StatusGone || resp.Status == http.StatusNotFound && !e.named {
		return &sdk.Error{
			Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: "url", Err: err,
			Message: "there is no endpoint for " + e.Type + " at this address: " + sdk.AsError(err).Message,
		}
	}
	return err
}

// What is said of an accepted write when the endpoint says nothing.
const (
	defaultPoll    = time.Minute
	defaultMessage = "The account has been asked for and is being prepared."
)

// accepted is 202: of a write, that it is pending.
func (t *Target) accepted(e event, resp *sdkhttp.Response) error {
	if e.Operation == nil {
		return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "the endpoint answered 202 to " + e.Type + ", which it must answer at once"}
	}
	var said struct {
		PollAfter float64 `json:"poll_after"`
		Message   string  `json:"message"`
	}
	_ = json.Unmarshal(resp.Body, &said) // nothing has to be said
	after := sdk.FromHTTP(http.StatusTooManyRequests, resp.Header).RetryAfter
	if after == 0 && said.PollAfter > 0 {
		after = time.Duration(min(said.PollAfter, time.Hour.Seconds()) * float64(time.Second))
	}
	if after == 0 {
		after = defaultPoll
	}
	text := t.http.Redactor().Excerpt(said.Message, e.values...)
	if text == "" {
		text = defaultMessage
	}
	return sdk.Pending(after, text)
}
