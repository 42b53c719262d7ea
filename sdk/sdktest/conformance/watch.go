package conformance

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/anteroom-id/anteroom/sdk"
)

// minSecret is the shortest secret that is looked for: a shorter one could be a
// part of any word.
const minSecret = 6

// errorDomain marks a failure as the connector's own word.
const errorDomain = "anteroom.connector.v1"

// watch sees everything the connector says over the wire, and notes what it must
// not have said.
type watch struct {
	mu      sync.Mutex
	secrets map[string]string // what must not be seen, and the name to call it by
	marker  string            // part of every value of a user of this run
	leaks   []string          // where a secret was seen
	values  []string          // where a user's value was seen in a failure
	untyped []string          // failures that are not the connector's word
	logs    []func() string   // what processes have printed
}

func newWatch() *watch { return &watch{secrets: map[string]string{}} }

// forbid adds secrets, in the forms in which they usually leak.
func (w *watch) forbid(secrets map[string]sdk.Secret, marker string) {
	for name, secret := range secrets {
		w.forbidText(name, secret.Reveal())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marker = marker
}

func (w *watch) forbidText(name, secret string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(secret) < minSecret {
		return
	}
	w.secrets[secret] = name
	w.secrets[url.QueryEscape(secret)] = name
	for offset := range 3 {
		if form := base64Within(secret, offset); len(form) >= minSecret {
			w.secrets[form] = name
		}
	}
}

// base64Within is what encodes nothing but the secret when offset bytes (modulo
// 3) come before it, as "user:" does in a basic authorization.
func base64Within(secret string, offset int) string {
	text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + secret))
	start := (offset*8 + 5) / 6
	end := (offset + len(secret)) * 8 / 6
	return text[start:max(start, end)]
}

// watched tells how many secrets are looked for.
func (w *watch) watched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.secrets)
}

// leakIn returns the name of a secret that is in the text, "" if none is.
func (w *watch) leakIn(text string) string {
	for secret, name := range w.secrets {
		if strings.Contains(text, secret) {
			return name
		}
	}
	return ""
}

// saw notes what is wrong with an answer.
func (w *watch) saw(method string, answer any, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	method = method[strings.LastIndex(method, "/")+1:]
	if err == nil {
		if name := w.leakIn(fmt.Sprint(answer)); name != "" {
			w.leaks = append(w.leaks, fmt.Sprintf("%s in an answer of %s", name, method))
		}
		return
	}
	st := status.Convert(err)
	text := st.Message()
	own := false
	for _, d := range st.Details() {
		text += " " + fmt.Sprint(d)
		info, ok := d.(*errdetails.ErrorInfo)
		own = own || ok && info.GetDomain() == errorDomain
	}
	if name := w.leakIn(text); name != "" {
		w.leaks = append(w.leaks, fmt.Sprintf("%s in a failure of %s", name, method))
	}
	if w.marker != "" && strings.Contains(text, w.marker) {
		w.values = append(w.values, fmt.Sprintf("%s: %s", method, short(text)))
	}
	if !own && !transport(st.Code()) {
		w.untyped = append(w.untyped, fmt.Sprintf("%s: %s: %s", method, st.Code(), short(st.Message())))
	}
}

// transport tells of the codes with which gRPC itself gives up a call.
func transport(c codes.Code) bool {
	return c == codes.DeadlineExceeded || c == codes.Canceled || c == codes.Unavailable
}

// printed adds a source of what was printed.
func (w *watch) printed(text func() string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs = append(w.logs, text)
}

// seen returns the places where secrets were seen, those in logs among them.
func (w *watch) seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Clone(w.leaks)
	for _, text := range w.logs {
		for line := range strings.Lines(text()) {
			if name := w.leakIn(line); name != "" {
				all = append(all, fmt.Sprintf("%s in what the process printed", name))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (w *watch) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, req, reply, cc, opts...)
	if strings.Contains(method, errorDomain) {
		w.saw(method, reply, err)
	}
	return err
}

func (w *watch) stream(ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, d, cc, method, opts...)
	if err != nil || !strings.Contains(method, errorDomain) {
		return s, err
	}
	return &watchedStream{ClientStream: s, watch: w, method: method}, nil
}

// watchedStream is a stream whose end is looked at.
type watchedStream struct {
	grpc.ClientStream
	watch  *watch
	method string
}

// RecvMsg notes a failure.
func (s *watchedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil && !errors.Is(err, io.EOF) {
		s.watch.saw(s.method, nil, err)
	}
	return err
}

// dialOptions are what a connection to the connector has.
func (w *watch) dialOptions(more ...grpc.DialOption) []grpc.DialOption {
	return append(more, grpc.WithChainUnaryInterceptor(w.unary), grpc.WithChainStreamInterceptor(w.stream), grpc.WithDisableServiceConfig())
}

// finds returns the name of a secret that is in the text, "" if none is.
func (w *watch) finds(text string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leakIn(text)
}

// valuesSeen tells how many failures have repeated a user's value.
func (w *watch) valuesSeen() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.values)
}

func (w *watch) lastValue() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.values) == 0 {
		return ""
	}
	return w.values[len(w.values)-1]
}

// redact takes the secrets out of a report: a connector that leaks them must not
// leak them further.
func (w *watch) redact(found []Finding) []Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range found {
		for secret := range w.secrets {
			found[i].Seen = strings.ReplaceAll(found[i].Seen, secret, "***")
		}
	}
	return found
}
