package provisioning

import "sync"

// Notifier tells waiters of this process that a user's accounts changed. It only
// saves them time: they also look at the rows now and then, since the change may
// be another instance's. The zero Notifier is ready; a nil one tells nobody.
type Notifier struct {
	// Tell tells other processes of a change of this one; nil when there are none.
	// It must not block.
	Tell func(UserID)

	mu      sync.Mutex
	waiting map[UserID]*topic
}

type topic struct {
	changed chan struct{}
	waiters int
}

// Notify wakes everybody who waits for the user, here and elsewhere.
func (n *Notifier) Notify(user UserID) {
	if n == nil {
		return
	}
	n.Wake(user)
	if n.Tell != nil {
		n.Tell(user)
	}
}

// Wake wakes everybody of this process who waits for the user.
func (n *Notifier) Wake(user UserID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.waiting[user]; t != nil {
		t.wake()
	}
}

// WakeAll wakes everybody of this process who waits: what they wait for may have
// happened unheard.
func (n *Notifier) WakeAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.waiting {
		t.wake()
	}
}

func (t *topic) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// join registers a waiter, who must leave.
func (n *Notifier) join(user UserID) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting == nil {
		n.waiting = map[UserID]*topic{}
	}
	if n.waiting[user] == nil {
		n.waiting[user] = &topic{changed: make(chan struct{})}
	}
	n.waiting[user].waiters++
}

func (n *Notifier) leave(user UserID) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.waiting[user]
	if t.waiters--; t.waiters == 0 {
		delete(n.waiting, user)
	}
}

// next returns a channel that is closed by the next Notify. A waiter takes it
// BEFORE it looks at the rows, so that no change falls between. It is nil when
// there is no Notifier.
func (n *Notifier) next(user UserID) <-chan struct{} {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.waiting[user].changed
}
