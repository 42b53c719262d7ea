package daemon

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// hintChannel is where the processes of one database tell each other what they
// would else find out by polling.
const hintChannel = "anteroom"

const (
	// maxHints bounds what waits to be sent: whoever hears nothing polls.
	maxHints = 256
	// hintTimeout bounds sending: a hint that is late is worth nothing.
	hintTimeout = 2 * time.Second
	hintWork    = "work"
	hintUser    = "user "
)

// hints tells other processes that work became due and that accounts changed,
// and passes on what they tell. Texts that come up while one is being sent go
// together, so that a busy server sends few.
type hints struct {
	db    *sqldb.DB
	owner string // this process, which need not hear itself
	log   *slog.Logger
	// work and user are called for what other processes say; missed after what they
	// said may have been missed.
	work   func()
	user   func(provisioning.UserID)
	missed func()

	mu      sync.Mutex
	pending map[string]bool
	wake    chan struct{}
}

func newHints(db *sqldb.DB, owner string, log *slog.Logger) *hints {
	return &hints{db: db, owner: owner, log: log, pending: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// workDue tells the others that work became due. It never blocks.
func (h *hints) workDue() { h.add(hintWork) }

// changed tells the others that accounts of the user changed. It never blocks.
func (h *hints) changed(user provisioning.UserID) { h.add(hintUser + string(user)) }

func (h *hints) add(text string) {
	if h.db.Dialect() != sqldb.Postgres {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pending) < maxHints {
		h.pending[text] = true
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// start sends and listens until ctx ends; the channel closes then.
func (h *hints) start(ctx context.Context) <-chan struct{} {
	var wg sync.WaitGroup
	wg.Go(func() { h.send(ctx) })
	wg.Go(func() { h.db.Listen(ctx, hintChannel, h.heard, h.missed, h.lost) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
	}()
	return done
}

func (h *hints) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
			h.flush(ctx)
		}
	}
}

// flush sends what is pending.
func (h *hints) flush(ctx context.Context) {
	h.mu.Lock()
	texts := make([]string, 0, len(h.pending))
	for text := range h.pending {
		texts = append(texts, h.owner+" "+text)
	}
	clear(h.pending)
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, hintTimeout)
	defer cancel()
	if err := h.db.Hint(ctx, hintChannel, texts); err != nil && ctx.Err() == nil {
		h.log.DebugContext(ctx, "other servers were not told", "error", err)
	}
}

func (h *hints) heard(text string) {
	owner, text, _ := strings.Cut(text, " ")
	user, ofUser := strings.CutPrefix(text, hintUser)
	switch {
	case owner == h.owner:
	case ofUser:
		h.user(provisioning.UserID(user))
	case text == hintWork:
		h.work()
	}
}

func (h *hints) lost(err error) {
	h.log.Warn("cannot hear other servers; polling goes on", "error", err)
}
