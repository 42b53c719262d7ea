package op

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/device"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/provisioning"
)

const (
	// deviceLifetime is how long a person has to enter the code and sign in. The guesses
	// that are possible in it are what the length of a user code is about.
	deviceLifetime = 10 * time.Minute
	deviceInterval = 5 * time.Second
	// pollLeeway forgives a poll that networks or timers made early.
	pollLeeway = time.Second
	// maxUserCodeTries bounds how often a taken user code is replaced. Even a million
	// pending requests take one of 25,000 codes.
	maxUserCodeTries = 5
)

// deviceAnswer is what a device learns of its request (RFC 8628 section 3.2).
type deviceAnswer struct {
	DeviceCode              string `json:"device_code"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete"`
	ExpiresIn               int    `json:"expires_in"` // seconds
	Interval                int    `json:"interval"`   // seconds
}

// authorizeDevice is the device authorization endpoint (RFC 8628 section 3.1).
func (p *Provider) authorizeDevice(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	answer, err := p.deviceRequest(w, r)
	if err != nil {
		p.endpointError(w, r, err)
		return
	}
	p.writeJSON(w, r, http.StatusOK, answer)
}

func (p *Provider) deviceRequest(w http.ResponseWriter, r *http.Request) (deviceAnswer, error) {
	form, fail := readForm(w, r)
	if fail != nil {
		return deviceAnswer{}, fail
	}
	if fail := checkBody(form, r.URL.RawQuery); fail != nil {
		return deviceAnswer{}, fail
	}
	found, err := p.authenticate(r.Context(), r, form)
	if err != nil {
		return deviceAnswer{}, err
	}
	c, ok := found.(*client)
	if !ok {
		return deviceAnswer{}, internalError(errors.New("authentication returned another kind of client"))
	}
	scopes, fail := deviceScopes(c, form)
	if fail != nil {
		return deviceAnswer{}, fail
	}
	wished, fail := p.wished(r.Context(), c, form[paramResource], scopes)
	if fail != nil {
		return deviceAnswer{}, fail
	}
	return p.addDeviceRequest(r.Context(), device.Request{
		Client: c.app.ClientID, Scopes: scopes, Resources: wished.resources, Network: device.NetworkOf(p.address(r)),
	})
}

// deviceScopes returns the scopes that are asked for, if the client may ask for them
// and in this way.
func deviceScopes(c *client, form url.Values) ([]string, *protocolError) {
	if !c.may(application.GrantDeviceCode) {
		return nil, badRequest(codeUnauthorizedClient, "The application may not use the device authorization grant.")
	}
	var scopes []string
	for _, scope := range strings.Fields(form.Get("scope")) {
		if !slices.Contains(c.app.Scopes, scope) {
			return nil, badRequest(codeInvalidScope, "The application may not ask for the scope "+describe(scope)+".")
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

func (p *Provider) addDeviceRequest(ctx context.Context, r device.Request) (deviceAnswer, error) {
	code := rand.Text() + rand.Text()
	r.Hash, r.Interval = HashToken(code).bytes(), deviceInterval
	r.CreatedAt = p.now()
	r.ExpiresAt = r.CreatedAt.Add(deviceLifetime)
	r.KeepUntil = r.ExpiresAt.Add(keepUsedCode)
	for range maxUserCodeTries {
		userCode := device.NewUserCode()
		r.UserCode = p.userCodes.Digest(userCode)
		err := p.devices.Add(ctx, r)
		if errors.Is(err, device.ErrTaken) {
			continue
		}
		if err != nil {
			return deviceAnswer{}, internalError(err)
		}
		return deviceAnswer{
			DeviceCode: code, UserCode: userCode.String(), VerificationURI: p.issuer + device.Path,
			VerificationURIComplete: p.issuer + device.Path + "?" + url.Values{device.ParamCode: {userCode.String()}}.Encode(),
			ExpiresIn:               int(deviceLifetime / time.Second), Interval: int(deviceInterval / time.Second),
		}, nil
	}
	return deviceAnswer{}, internalError(device.ErrTaken)
}

// approveDevice makes the grant of a device's sign-in, in the transaction in which
// the gate permitted it. Its tokens are minted when the device asks next, and the
// gate is asked again then. It returns where the browser goes.
func (p *Provider) approveDevice(ctx context.Context, s *flow.SignIn) (string, error) {
	req, app, err := p.deviceOf(ctx, s)
	if err != nil {
		return "", err
	}
	if s.Alias, err = p.subjects.Alias(ctx, app.app, s.User, s.SID); err != nil {
		return "", internalError(err)
	}
	wished, fail := p.wished(ctx, app, req.Resources, req.Scopes)
	if fail != nil {
		return "", fail
	}
	now, decision := p.now(), provisioning.PermitFrom(ctx).Decision()
	grant := Grant{
		ID: GrantID(s.ID), Client: app.app.ClientID, User: s.User, Subject: s.Alias.Subject, Decision: decision, Scopes: app.grantable(req.Scopes),
		Session: s.Session, SID: s.Alias.SID, AMR: s.AMR, AuthTime: s.AuthTime,
		Resources: wished.resources, CreatedAt: now, ExpiresAt: req.ExpiresAt.Add(max(p.store.times.Access, wished.longest)),
	}
	if slices.Contains(grant.Scopes, scopeOfflineAccess) {
		grant.ExpiresAt = now.Add(p.store.times.RefreshAbsolute)
	}
	if err := p.tokens.AddGrant(ctx, grant); err != nil {
		return "", err
	}
	err = p.devices.Settle(ctx, req.Hash, device.Outcome{Status: device.StatusApproved, Grant: string(grant.ID), Decision: decision}, now)
	if errors.Is(err, device.ErrSettled) {
		return "", deviceExpired()
	}
	return device.Done(device.ResultApproved), err
}

// deviceOf returns the request that a sign-in is for, with its application as it is
// now.
func (p *Provider) deviceOf(ctx context.Context, s *flow.SignIn) (device.Request, *client, error) {
	req, err := p.devices.Request(ctx, s.Request.Device)
	if errors.Is(err, device.ErrNotFound) {
		return req, nil, deviceExpired()
	}
	if err != nil {
		return req, nil, err
	}
	app, err := p.apps.Get(ctx, req.Client)
	if err != nil && !errors.Is(err, application.ErrNotFound) {
		return req, nil, err
	}
	c := &client{app: app}
	if err != nil || !app.Enabled || req.Client != s.Request.Client || !c.may(application.GrantDeviceCode) || !c.maySee(req.Scopes) {
		return req, nil, badRequest(codeAccessDenied, "The application changed during the sign-in.")
	}
	return req, c, nil
}

// endDevice tells the device's next poll why it gets nothing, and the person so. A
// request that was answered otherwise meanwhile keeps that answer.
func (p *Provider) endDevice(w http.ResponseWriter, r *http.Request, s *flow.SignIn, fail *protocolError) error {
	err := p.store.inTx(r.Context(), func(ctx context.Context) error {
		if err := p.signIns.Ended(ctx, s); err != nil {
			return err
		}
		err := p.devices.Settle(ctx, s.Request.Device, device.Outcome{Status: device.StatusDenied, Error: fail.Code}, p.now())
		if errors.Is(err, device.ErrSettled) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	p.logFailure(r, fail, s.Reference)
	redirect(w, device.Done(resultOf(fail.Code)))
	return nil
}

func resultOf(code string) device.Result {
	switch code {
	case codeAccessDenied:
		return device.ResultDenied
	case codeExpiredToken:
		return device.ResultExpired
	case codeTemporarilyUnavailable:
		return device.ResultUnavailable
	default:
		return device.ResultFailed
	}
}

func deviceExpired() *protocolError {
	return badRequest(codeExpiredToken, "The device code has expired.")
}
