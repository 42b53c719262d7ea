package wire

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// Name is the one plugin a connector process serves; Dispense(Name) gives a
// [*Client].
const Name = "connector"

// ProtocolVersion is the major version both ends must share. Everything that can
// be added compatibly is added without changing it.
const ProtocolVersion = 1

// LifelineEnv is the environment variable by which a host says that it holds the
// other end of the connector's standard input: with value "1" the connector ends
// when its input does. Without it the input may be anything, /dev/null included.
const LifelineEnv = "ANTEROOM_LIFELINE"

// Instance names a configured target and the version of its configuration. A
// changed configuration has a higher generation.
type Instance struct {
	ID         string
	Generation int64
}

// Handshake is what a connector expects to find in its environment when a host
// starts it. It keeps people from starting connectors by mistake and protects
// nothing.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  ProtocolVersion,
		MagicCookieKey:   "ANTEROOM_CONNECTOR",
		MagicCookieValue: "d0f5b6f1-anteroom-connector",
	}
}

// ServerPlugins is what a connector process serves, for plugin.ServeConfig.
func ServerPlugins(s *Server) map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{ProtocolVersion: {Name: &connectorPlugin{server: s}}}
}

// ClientPlugins is what a host expects of a connector process, for
// plugin.ClientConfig.
func ClientPlugins() map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{ProtocolVersion: {Name: &connectorPlugin{}}}
}

var _ plugin.GRPCPlugin = (*connectorPlugin)(nil)

type connectorPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server *Server // nil on the host's end
}

func (p *connectorPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	connectorv1.RegisterConnectorServer(s, p.server)
	return nil
}

func (p *connectorPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, cc *grpc.ClientConn) (any, error) {
	return NewClient(cc), nil
}
