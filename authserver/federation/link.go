package federation

import (
	"context"
	"errors"

	"github.com/anteroom-id/anteroom/provisioning"
)

// LinksPath is the page on which users link upstreams; where a link that was begun
// there ends.
const LinksPath = "/account/sign-in-methods"

// Link lets the user sign in with the identity from now on. Nothing of the user
// changes: they are not the upstream's. Errors: [*Error] of KindLinked if somebody
// else signs in with it.
func (s *Service) Link(ctx context.Context, id Identity, user provisioning.UserID) error {
	err := s.Links.Insert(ctx, Link{Issuer: id.Issuer, Subject: id.Subject, User: user, CreatedAt: s.Now()})
	if !errors.Is(err, ErrLinked) {
		return err
	}
	link, err := s.Links.Find(ctx, id.Issuer, id.Subject)
	if err != nil {
		return err
	}
	if link.User != user {
		return id.Upstream.fail(KindLinked, "subject %q is linked to user %s", id.Subject, link.User)
	}
	return nil
}

// LinksOf returns the user's links, the oldest first.
func (s *Service) LinksOf(ctx context.Context, user provisioning.UserID) ([]Link, error) {
	return s.Links.Of(ctx, user)
}

// Unlink takes a link of the user away, in ctx's transaction, and returns those that
// they can still sign in with. Two at once see each other. Errors: ErrNoLink.
func (s *Service) Unlink(ctx context.Context, l Link) (left []Link, err error) {
	if err := s.Links.Delete(ctx, l); err != nil {
		return nil, err
	}
	offered, err := s.Offered(ctx)
	if err != nil {
		return nil, err
	}
	issuers := map[string]bool{}
	for _, u := range offered {
		issuers[u.Issuer] = true
	}
	all, err := s.Links.Of(ctx, l.User)
	for _, other := range all {
		if issuers[other.Issuer] {
			left = append(left, other)
		}
	}
	return left, err
}
