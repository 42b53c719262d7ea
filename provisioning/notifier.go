package provisioning

import "sync"

// Notifier tells waiters of this process that a user's accounts changed. It only
// saves them time: they also look at the rows now and then, since the change may
// be another instance's. The zero Notifier is ready; a nil one tells nobody.
type Notifier struct {
	mu      sync.Mutex
	waiting map[UserID]*topic
}

type topic struct {
	changed chan struct{}
	waiters int
}

// Notify wakes everybody who waits for the user.
func (n *Notifier) Notify(user UserID) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.waiting[user]; t != nil {
		close(t.changed)
		t.changed = make(chan struct{})
	}
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
