package salesforce

import (
	"maps"

	"github.com/anteroom-id/anteroom/sdk"
)

// owner is where an account says whose it is. To the host that is the attribute
// FederationIdentifier, whatever fields hold it.
type owner struct {
	external string // custom field, "" for none; where it has a value, it counts
	leave    bool   // FederationIdentifier itself is not read or written
}

func ownerOf(cfg Config) owner {
	return owner{external: cfg.ExternalIDField, leave: cfg.FederationID == federationLeave}
}

// read corrects the attribute by what the record says.
func (o owner) read(r record, into sdk.Attributes) {
	value, given := r[o.external]
	text, _ := value.(string)
	switch {
	case o.external == "":
	case text != "":
		into[fieldFederation] = text
	case o.leave && given:
		into[fieldFederation] = nil
	case o.leave:
		delete(into, fieldFederation)
	}
}

// equals is the condition that an account is that user's.
func (o owner) equals(value string) string {
	by := fieldFederation + " = " + quote(value)
	switch {
	case o.leave:
		return o.external + " = " + quote(value)
	case o.external != "":
		return by + " OR " + o.external + " = " + quote(value)
	}
	return by
}

// write puts the attribute, if it is to be changed, into the fields that hold it.
func (o owner) write(r record) record {
	value, named := r[fieldFederation]
	if !named || o.external == "" {
		return r
	}
	out := o.withoutFederation(r)
	out[o.external] = value
	return out
}

// withoutFederation leaves out the field that is single sign-on's.
func (o owner) withoutFederation(r record) record {
	out := maps.Clone(r)
	if o.leave {
		delete(out, fieldFederation)
	}
	return out
}
