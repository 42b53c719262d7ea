package resources

import (
	"context"
	"fmt"

	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/provisioning"
)

func (p *planner) resourceServers(doc Document) {
	known := map[provisioning.ClientID]bool{resourceserver.Any: true, resourceserver.SelfRegistered: true}
	for id := range p.state.applications {
		known[provisioning.ClientID(id)] = true
	}
	for _, a := range doc.Applications {
		known[provisioning.ClientID(a.ClientID)] = true
	}
	for i, s := range doc.ResourceServers {
		path := fmt.Sprintf("resource_servers[%d].", i)
		for _, problem := range s.Check() {
			p.problems.add(path+problem.Field, "%s", problem.Text)
		}
		p.knownClients(path+"applications", s.Applications, known)
		p.knownClients(path+"introspection", s.Introspection, known)
		for at, c := range s.Introspection {
			if c == resourceserver.Any || c == resourceserver.SelfRegistered {
				p.problems.add(fmt.Sprintf("%sintrospection[%d]", path, at), "name the applications: their tokens would be open to all")
			}
		}
		p.resourceServer(s)
	}
}

func (p *planner) knownClients(path string, clients []provisioning.ClientID, known map[provisioning.ClientID]bool) {
	for i, c := range clients {
		if !known[c] {
			p.problems.add(fmt.Sprintf("%s[%d]", path, i), "there is no application %q", c)
		}
	}
}

func (p *planner) resourceServer(wanted resourceserver.Server) {
	var old any
	if current, ok := p.state.resourceServers[wanted.Identifier]; ok {
		old = current
	}
	c := compare("resource server", wanted.Identifier, old, wanted)
	p.add(c, func(ctx context.Context, b *Backend) error { return b.ResourceServers.Put(ctx, wanted) })
}
