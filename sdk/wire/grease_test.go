package wire

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// between sees every message that crosses, in either direction.
type between func(proto.Message)

// fixtureBetween is both ends with b in between.
func fixtureBetween(t *testing.T, c sdk.Connector, b between) *Client {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			b(req.(proto.Message))
			resp, err := next(ctx, req)
			for _, d := range status.Convert(err).Details() {
				b(d.(proto.Message))
			}
			if m, ok := resp.(proto.Message); ok && err == nil {
				b(m)
			}
			return resp, err
		}),
		grpc.StreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			return next(srv, seenStream{s, b})
		}))
	connectorv1.RegisterConnectorServer(server, NewServer(c, slog.New(slog.DiscardHandler)))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-stopped
	})
	return NewClient(dial(t, listener.DialContext, grpc.WithStatsHandler(SentTracker{})))
}

type seenStream struct {
	grpc.ServerStream
	see between
}

func (s seenStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.see(m.(proto.Message))
	}
	return err
}

func (s seenStream) SendMsg(m any) error {
	s.see(m.(proto.Message))
	return s.ServerStream.SendMsg(m)
}

// everything answers every verb with everything it can say.
func everything(t *testing.T) *fullTarget {
	a := filled[sdk.Account](t)
	one := func() (sdk.Account, error) { return a, nil }
	return &fullTarget{
		fakeTarget: fakeTarget{
			lookup: func(context.Context, sdk.LookupRequest) ([]sdk.Account, error) { return []sdk.Account{a}, nil },
			create: func(context.Context, sdk.CreateRequest) (sdk.Account, error) { return one() },
			update: func(context.Context, sdk.UpdateRequest) (sdk.Account, error) { return one() },
		},
		get:       func(context.Context, sdk.GetRequest) (sdk.Account, error) { return one() },
		setActive: func(context.Context, sdk.SetActiveRequest) (sdk.Account, error) { return one() },
		delete:    func(context.Context, sdk.DeleteRequest) error { return nil },
		setGroups: func(context.Context, sdk.SetGroupsRequest) error { return nil },
		check:     func(context.Context) ([]sdk.CheckStep, error) { return []sdk.CheckStep{filled[sdk.CheckStep](t)}, nil },
		list: func(context.Context, sdk.ListRequest) iter.Seq2[sdk.Account, error] {
			return func(yield func(sdk.Account, error) bool) { yield(a, nil) }
		},
	}
}

// refusing answers every write with the same error.
func refusing(t *testing.T, err error) *fullTarget {
	f := everything(t)
	f.create = func(context.Context, sdk.CreateRequest) (sdk.Account, error) { return sdk.Account{}, err }
	f.update = func(context.Context, sdk.UpdateRequest) (sdk.Account, error) { return sdk.Account{}, err }
	f.setActive = func(context.Context, sdk.SetActiveRequest) (sdk.Account, error) { return sdk.Account{}, err }
	f.delete = func(context.Context, sdk.DeleteRequest) error { return err }
	f.setGroups = func(context.Context, sdk.SetGroupsRequest) error { return err }
	return f
}

// described is a connector whose description has everything.
type described struct {
	sdk.Connector
	description sdk.Description
	problems    []sdk.Problem
}

func (d described) Describe() sdk.Description            { return d.description }
func (d described) Validate(sdk.RawConfig) []sdk.Problem { return d.problems }

// callEverything makes every call with everything a request can carry, and
// returns what each answered.
func callEverything(t *testing.T, c *Client) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	answers := map[string]any{}
	note := func(call string, answer any, err error) { answers[call] = []any{answer, sdk.AsError(err)} }
	d, err := c.Describe(ctx)
	note("Describe", d, err)
	cfg := filled[sdk.RawConfig](t)
	problems, err := c.Validate(ctx, cfg)
	note("Validate", problems, err)
	in := filled[Instance](t)
	cfg.Values, cfg.Secrets = goodConfig.Values, map[string]sdk.Secret{"token": "hunter2"}
	note("Configure", nil, c.Configure(ctx, in, cfg))
	r := c.Remote(in)
	accounts, err := r.Lookup(ctx, filled[sdk.LookupRequest](t))
	note("Lookup", accounts, err)
	a, err := r.Get(ctx, filled[sdk.GetRequest](t))
	note("Get", a, err)
	a, err = r.Create(ctx, filled[sdk.CreateRequest](t))
	note("Create", a, err)
	a, err = r.Update(ctx, filled[sdk.UpdateRequest](t))
	note("Update", a, err)
	a, err = r.SetActive(ctx, filled[sdk.SetActiveRequest](t))
	note("SetActive", a, err)
	note("Delete", nil, r.Delete(ctx, filled[sdk.DeleteRequest](t)))
	note("SetGroups", nil, r.SetGroups(ctx, filled[sdk.SetGroupsRequest](t)))
	steps, err := r.Check(ctx)
	note("Check", steps, err)
	for a, err := range r.List(ctx, filled[sdk.ListRequest](t)) {
		note("List", a, err)
	}
	note("Release", nil, c.Release(ctx, in))
	return answers
}

// TestEveryFieldCrosses makes every call in every way it can end, and names the
// fields of the protocol that nobody ever filled: what was added to it and
// forgotten on either side.
func TestEveryFieldCrosses(t *testing.T) {
	var mu sync.Mutex
	crossed := map[protoreflect.FullName]bool{}
	see := func(m proto.Message) {
		mu.Lock()
		defer mu.Unlock()
		markFields(m.ProtoReflect(), crossed)
	}
	failure := &sdk.Error{Kind: sdk.KindConflict, Effect: sdk.EffectApplied, Field: "mail", Message: "taken"}
	for _, target := range []*fullTarget{everything(t), refusing(t, sdk.Pending(time.Minute, "wait")), refusing(t, failure)} {
		c := described{connectorOf(target), filled[sdk.Description](t), []sdk.Problem{filled[sdk.Problem](t)}}
		callEverything(t, fixtureBetween(t, c, see))
	}
	messages := connectorv1.File_sdk_wire_connectorv1_connector_proto.Messages()
	for i := range messages.Len() {
		fields := messages.Get(i).Fields()
		for j := range fields.Len() {
			if name := fields.Get(j).FullName(); !crossed[name] {
				t.Errorf("%s never crossed", name)
			}
		}
	}
}

// markFields notes every field that is set, at any depth.
func markFields(m protoreflect.Message, crossed map[protoreflect.FullName]bool) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		crossed[f.FullName()] = true
		eachChild(f, v, func(child protoreflect.Message) { markFields(child, crossed) })
		return true
	})
}

func eachChild(f protoreflect.FieldDescriptor, v protoreflect.Value, do func(protoreflect.Message)) {
	switch {
	case f.IsMap() || f.Message() == nil:
	case f.IsList():
		for i := range v.List().Len() {
			do(v.List().Get(i).Message())
		}
	default:
		do(v.Message())
	}
}

// TestGrease speaks a protocol of the future at random: unknown fields in every
// message, unknown capabilities, metadata and values. Both ends answer as if
// nothing were.
func TestGrease(t *testing.T) {
	c := described{connectorOf(everything(t)), filled[sdk.Description](t), []sdk.Problem{filled[sdk.Problem](t)}}
	want := callEverything(t, fixtureBetween(t, c, func(proto.Message) {}))
	for seed := range uint64(30) {
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, seed))
		client := fixtureBetween(t, c, func(m proto.Message) {
			mu.Lock()
			defer mu.Unlock()
			grease(random, m.ProtoReflect())
			if d, ok := m.(*connectorv1.DescribeResponse); ok {
				d.Capabilities = append(d.Capabilities, fmt.Sprintf("future_%d", random.Uint32()))
				d.Config = append(d.Config, &connectorv1.Field{Name: "future", Type: "colour"})
				d.Attributes = append(d.Attributes, &connectorv1.Attribute{Name: "future", Type: "colour"})
			}
		})
		got := callEverything(t, client)
		d := got["Describe"].([]any)[0].(sdk.Description)
		last := len(d.Config) - 1
		if d.Config[last].Type != "colour" || d.Attributes[len(d.Attributes)-1].Type != "colour" || !d.Has(d.Capabilities[0]) {
			t.Errorf("what is not known was not passed on: %+v", d)
		}
		d.Capabilities, d.Config, d.Attributes = d.Capabilities[:len(d.Capabilities)-1], d.Config[:last], d.Attributes[:len(d.Attributes)-1]
		got["Describe"].([]any)[0] = d
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

// grease adds fields nobody knows to some of the messages below m.
func grease(random *rand.Rand, m protoreflect.Message) {
	if m.Descriptor().ParentFile().Package() == domain && random.IntN(2) == 0 {
		var b []byte
		for range 1 + random.IntN(3) {
			n := protowire.Number(100 + random.IntN(10_000))
			switch random.IntN(3) {
			case 0:
				b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), random.Uint64())
			case 1:
				b = protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), []byte("from the future\xff"))
			default:
				b = protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), random.Uint64())
			}
		}
		m.SetUnknown(append(m.GetUnknown(), b...))
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		eachChild(f, v, func(child protoreflect.Message) { grease(random, child) })
		return true
	})
}

// TestUnknownWordsOfTheOtherEnd is the table of what becomes of values that this
// version does not know.
func TestUnknownWordsOfTheOtherEnd(t *testing.T) {
	ctx := metadata.AppendToOutgoingContext(soon(t), "x-from-the-future", "1")
	remote := newFixture(t, connectorOf(everything(t))).configured(t)
	if _, err := remote.Lookup(ctx, sdk.LookupRequest{Key: "name", Value: "ada"}); err != nil {
		t.Errorf("with unknown metadata: %v", err)
	}
	e := decodeError(encodeError(&sdk.Error{Kind: sdk.KindConflict, Effect: "rolled_back"}), true, true)
	if e.Kind != sdk.KindConflict || e.Effect != sdk.EffectUnknown {
		t.Errorf("an unknown effect came as %s, %s", e.Kind, e.Effect)
	}
}
