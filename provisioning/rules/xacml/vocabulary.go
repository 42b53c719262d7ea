package xacml

import (
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// The categories and identifiers of WSO2's provisioning policies, and our own for
// what WSO2 has no name for.
const (
	wso2          = "http://wso2.org/identity/"
	wso2Claims    = "http://wso2.org/claims/"
	anteroom      = "urn:anteroom:"
	categoryUser  = wso2 + "user"
	categoryApp   = wso2 + "sp"
	categoryIDP   = wso2 + "idp"
	categoryCall  = wso2 + "provisioning"
	attributeApp  = categoryApp + "/sp-name"
	attributeIDP  = categoryIDP + "/idp-name"
	attributeCall = categoryCall + "/provision-operation"
	tenant        = "carbon.super" // the one there is in a WSO2 server without tenants
)

// vocabulary gives a request the names that policies know.
type vocabulary struct {
	request *rules.Request
	options Options
}

func (v *vocabulary) values(d *designator) ([]value, *rules.Status) {
	if d.attribute.Issuer != "" {
		return nil, nil // nothing of ours has an issuer
	}
	bag, _ := v.lookup(d)
	for _, x := range bag {
		if x.typ != d.typ {
			return nil, nil // a bag has one type
		}
	}
	return bag, nil
}

// lookup returns the values of an attribute, and whether there is such an
// attribute at all.
func (v *vocabulary) lookup(d *designator) ([]value, bool) {
	r, id := v.request, d.attribute.ID
	switch d.attribute.Category {
	case categoryUser:
		return v.user(id)
	case categoryApp:
		return app(r, id)
	case categoryIDP:
		return connector(r, id)
	case wso2 + "identity-action":
		return texts("provisioning"), id == wso2+"identity-action/action-name"
	case categoryCall:
		return operation(r, id)
	case anteroom + "request":
		return circumstance(r, id)
	case anteroom + "account":
		return account(r, id)
	case categoryEnvironment:
		return now(d, r.Now)
	default:
		return nil, false
	}
}

// texts makes a bag of strings. An empty string is no value.
func texts(ss ...string) []value {
	out := make([]value, 0, len(ss))
	for _, s := range ss {
		if s != "" {
			out = append(out, stringValue(s))
		}
	}
	return out
}

func flag(b bool) []value { return []value{booleanValue(b)} }

func moment(t time.Time) []value {
	if t.IsZero() {
		return nil
	}
	return []value{timeValue(typeDateTime, t)}
}

// user answers with what we know of the user, and everything else with a claim of
// that name: claims are open, so any name is one.
func (v *vocabulary) user(id string) ([]value, bool) {
	u := &v.request.User
	switch id {
	case anteroom + "user:id":
		return texts(u.ID), true
	case anteroom + "user:email-verified":
		return flag(u.EmailVerified), true
	case anteroom + "user:active":
		return flag(u.Active), true
	case anteroom + "user:source":
		return texts(u.Source), true
	case categoryUser + "/username":
		return texts(u.Username), true
	case categoryUser + "/user-tenant-domain":
		return texts(tenant), true
	}
	if name, ok := strings.CutPrefix(id, wso2Claims); ok {
		if bag, ok := v.claim(name); ok {
			return bag, true
		}
		if bag := texts(u.Claims[id]...); len(bag) > 0 {
			return bag, true
		}
		return texts(u.Claims[name]...), true
	}
	return texts(u.Claims[id]...), true
}

// claim answers for the claims of WSO2 that are fields of ours.
func (v *vocabulary) claim(name string) ([]value, bool) {
	u := &v.request.User
	switch name {
	case "username":
		return texts(u.Username), true
	case "emailaddress":
		return texts(u.Email), true
	case "givenname":
		return texts(u.GivenName), true
	case "lastname":
		return texts(u.FamilyName), true
	case "fullname":
		return texts(u.Name), true
	case "local":
		return texts(u.Locale), true
	case "mobile":
		return texts(u.PhoneNumber), true
	case "groups":
		return texts(u.Groups...), true
	case "roles", "role":
		return v.roles(), true
	default:
		return nil, false
	}
}

func (v *vocabulary) roles() []value {
	bag := texts(v.request.User.Roles...)
	if v.options.WSO2 {
		for _, x := range bag[:len(bag):len(bag)] {
			bag = append(bag, stringValue("Internal/"+x.str))
		}
	}
	return bag
}

func app(r *rules.Request, id string) ([]value, bool) {
	switch id {
	case attributeApp:
		return texts(r.App.Name), true
	case wso2 + "auth/sp-tenant-domain": // so it is spelt
		return texts(tenant), true
	case anteroom + "app:client-id":
		return texts(r.App.ClientID), true
	case anteroom + "app:label":
		return texts(r.App.Labels...), true
	default:
		return nil, false
	}
}

func connector(r *rules.Request, id string) ([]value, bool) {
	switch id {
	case attributeIDP:
		return texts(r.Connector.Name), true
	case categoryIDP + "/connector-type":
		return texts(r.Connector.Type), true
	case anteroom + "connector:binding":
		return texts(r.Connector.Binding), true
	default:
		return nil, false
	}
}

// operation answers with the operation as the method that WSO2 takes it for, and
// with the user's groups, whatever the operation.
func operation(r *rules.Request, id string) ([]value, bool) {
	switch id {
	case attributeCall:
		return texts(method(r.Operation)), true
	case categoryCall + "/claim-group":
		return texts(r.User.Groups...), true
	default:
		return nil, false
	}
}

func method(o rules.Operation) string {
	switch o {
	case rules.OperationCreate:
		return "POST"
	case rules.OperationUpdate:
		return "PUT"
	default:
		return ""
	}
}

// circumstance answers with how the request came about.
func circumstance(r *rules.Request, id string) ([]value, bool) {
	name, ok := strings.CutPrefix(id, anteroom+"request:")
	if !ok {
		return nil, false
	}
	switch name {
	case "scope":
		return texts(r.Scopes...), true
	case "acr":
		return texts(r.ACR), true
	case "amr":
		return texts(r.AMR...), true
	case "trigger":
		return texts(string(r.Trigger)), true
	case "auth-time":
		return moment(r.AuthTime), true
	case "ip":
		return address(r), true
	default:
		return nil, false
	}
}

func address(r *rules.Request) []value {
	ip := r.IP.Unmap().WithZone("")
	switch {
	case !ip.IsValid():
		return nil
	case ip.Is4():
		return []value{textValue(typeIPAddress, ip.String())}
	default:
		return []value{textValue(typeIPAddress, "["+ip.String()+"]")}
	}
}

func account(r *rules.Request, id string) ([]value, bool) {
	switch id {
	case anteroom + "account:linked":
		return flag(r.Account.Linked), true
	case anteroom + "account:remote-id":
		return texts(r.Account.RemoteID), true
	case anteroom + "account:last-provisioned":
		return moment(r.Account.LastProvisioned), true
	default:
		return nil, false
	}
}

// now answers with the time, typed, and as the strings that WSO2 sends where a
// policy asks for strings.
func now(d *designator, t time.Time) ([]value, bool) {
	name, ok := strings.CutPrefix(d.attribute.ID, environment)
	layout := map[string]string{"current-time": "15:04:05", "current-date": "2006/01/02", "current-dateTime": "2006/01/02 15:04:05"}[name]
	switch {
	case !ok:
		return nil, false
	case name == "environment-id":
		return texts(tenant), true
	case layout == "" || t.IsZero():
		return nil, layout != ""
	case d.typ == typeString:
		return texts(t.Format(layout)), true
	default:
		return currentTime(d, t), true
	}
}
