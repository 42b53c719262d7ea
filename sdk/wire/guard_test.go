package wire

import (
	"context"
	"iter"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// TestEveryCallNeedsADeadline goes through the protocol itself, so that a call
// that is added cannot be forgotten.
func TestEveryCallNeedsADeadline(t *testing.T) {
	cc := overMemory(t, NewServer(connectorOf(everything(t)), slog.New(slog.DiscardHandler)))
	calls := connectorv1.File_sdk_wire_connectorv1_connector_proto.Services().Get(0).Methods()
	for i := range calls.Len() {
		call := calls.Get(i)
		request, answer := message(t, string(call.Input().FullName())), message(t, string(call.Output().FullName()))
		name := "/" + string(call.Parent().FullName()) + "/" + string(call.Name())
		var err error
		if call.IsStreamingServer() {
			err = receive(t.Context(), cc, name, request, answer)
		} else {
			err = cc.Invoke(t.Context(), name, request, answer)
		}
		if e := connectorsWord(status.Convert(err)); e == nil || e.Kind != sdk.KindInvalid || e.Effect != sdk.EffectNone || status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s without a deadline = %v, want it refused", call.Name(), err)
		}
	}
}

func message(t *testing.T, name string) proto.Message {
	t.Helper()
	typ, err := protoregistry.GlobalTypes.FindMessageByURL(name)
	if err != nil {
		t.Fatal(err)
	}
	return typ.New().Interface()
}

func receive(ctx context.Context, cc *grpc.ClientConn, name string, request, answer proto.Message) error {
	stream, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, name)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(request); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return stream.RecvMsg(answer)
}

// panicking is a connector whose every method panics.
type panicking struct{}

func (panicking) Describe() sdk.Description                               { panic("hunter2") }
func (panicking) Validate(sdk.RawConfig) []sdk.Problem                    { panic("hunter2") }
func (panicking) Open(context.Context, sdk.RawConfig) (sdk.Target, error) { panic("hunter2") }

// TestPanicsStayInTheirCall has each of the author's functions panic in turn. The
// process answers and goes on.
func TestPanicsStayInTheirCall(t *testing.T) {
	f := newFixture(t, panicking{})
	_, err := f.Describe(soon(t))
	checkError(t, err, sdk.KindInternal, sdk.EffectNone)
	_, err = f.Validate(soon(t), goodConfig)
	checkError(t, err, sdk.KindInternal, sdk.EffectNone)
	in := Instance{ID: "one", Generation: 1}
	checkError(t, f.Configure(soon(t), in, goodConfig), sdk.KindInternal, sdk.EffectNone)
	checkError(t, f.Configure(soon(t), in, goodConfig), sdk.KindInternal, sdk.EffectNone) // nobody holds the turn

	target := everything(t)
	target.get = func(context.Context, sdk.GetRequest) (sdk.Account, error) { panic("hunter2") }
	target.setActive = func(context.Context, sdk.SetActiveRequest) (sdk.Account, error) { panic("hunter2") }
	target.delete = func(context.Context, sdk.DeleteRequest) error { panic("hunter2") }
	target.setGroups = func(context.Context, sdk.SetGroupsRequest) error { panic("hunter2") }
	target.check = func(context.Context) ([]sdk.CheckStep, error) { panic("hunter2") }
	target.list = func(context.Context, sdk.ListRequest) iter.Seq2[sdk.Account, error] {
		return func(yield func(sdk.Account, error) bool) {
			yield(sdk.Account{ID: "1"}, nil)
			panic("hunter2")
		}
	}
	g := newFixture(t, connectorOf(target))
	remote := g.configured(t)
	_, err = remote.Get(soon(t), sdk.GetRequest{ID: "1"})
	checkError(t, err, sdk.KindInternal, sdk.EffectNone)
	_, err = remote.SetActive(soon(t), sdk.SetActiveRequest{ID: "1"})
	checkError(t, err, sdk.KindInternal, sdk.EffectUnknown)
	checkError(t, remote.Delete(soon(t), sdk.DeleteRequest{ID: "1"}), sdk.KindInternal, sdk.EffectUnknown)
	checkError(t, remote.SetGroups(soon(t), sdk.SetGroupsRequest{ID: "1"}), sdk.KindInternal, sdk.EffectUnknown)
	_, err = remote.Check(soon(t))
	checkError(t, err, sdk.KindInternal, sdk.EffectNone)
	var last error
	for _, err := range remote.List(soon(t), sdk.ListRequest{}) {
		last = err
	}
	checkError(t, last, sdk.KindInternal, sdk.EffectNone)
	for _, log := range []string{f.log.String(), g.log.String()} {
		if !strings.Contains(log, "hunter2") || !strings.Contains(log, "stack=") || !strings.Contains(log, "verb=") {
			t.Errorf("the log lacks the panic, its stack or its verb: %.300s", log)
		}
	}
	if _, err := remote.Lookup(soon(t), sdk.LookupRequest{}); err != nil {
		t.Errorf("after all of that: %v", err)
	}
}
