package xacml

import "github.com/anteroom-id/anteroom/provisioning/rules"

// addBags adds the functions on bags and sets of every type. Addresses and names
// of hosts have no equality, so no sets.
func (l library) addBags() {
	for t := typeString; t <= typeDNSName; t++ {
		prefix := version(t)
		if t > typeRFC822Name {
			prefix = fn2
		}
		l.addBag(prefix+t.short(), t)
		if t <= typeRFC822Name {
			l.addSet(prefix+t.short(), t)
		}
	}
}

func (l library) addBag(name string, t dataType) {
	l.add(name+"-one-and-only", one(t), []kind{bagOf(t)}, func(_ *evaluation, a []result) (result, *rules.Status) {
		if len(a[0].bag) != 1 {
			return processing("%s-one-and-only of %d values", t.short(), len(a[0].bag))
		}
		return single(a[0].bag[0])
	})
	l.add(name+"-bag-size", one(typeInteger), []kind{bagOf(t)}, func(_ *evaluation, a []result) (result, *rules.Status) {
		return single(integerValue(int64(len(a[0].bag))))
	})
	f := l.add(name+"-bag", bagOf(t), []kind{one(t)}, func(_ *evaluation, a []result) (result, *rules.Status) {
		out := make([]value, len(a))
		for i := range a {
			out[i] = a[i].value
		}
		return result{bag: out}, nil
	})
	f.variadic, f.least = true, 0
}

func (l library) addSet(name string, t dataType) {
	bags := []kind{bagOf(t), bagOf(t)}
	l.add(name+"-is-in", one(typeBoolean), []kind{one(t), bagOf(t)}, func(e *evaluation, a []result) (result, *rules.Status) {
		if s := e.charge(len(a[1].bag)); s != nil {
			return result{}, s
		}
		return truth(e.has(a[1].bag, a[0].value))
	})
	l.add(name+"-intersection", bagOf(t), bags, onSets(func(e *evaluation, a, b []value) (result, *rules.Status) {
		return result{bag: e.distinct(a, func(v value) bool { return e.has(b, v) })}, nil
	}))
	l.add(name+"-union", bagOf(t), bags, onSets(func(e *evaluation, a, b []value) (result, *rules.Status) {
		all := append(append(make([]value, 0, len(a)+len(b)), a...), b...)
		return result{bag: e.distinct(all, func(value) bool { return true })}, nil
	})).variadic = true
	l.add(name+"-at-least-one-member-of", one(typeBoolean), bags, onSets(func(e *evaluation, a, b []value) (result, *rules.Status) {
		for _, v := range a {
			if e.has(b, v) {
				return truth(true)
			}
		}
		return truth(false)
	}))
	l.add(name+"-subset", one(typeBoolean), bags, onSets(func(e *evaluation, a, b []value) (result, *rules.Status) {
		return truth(e.subset(a, b))
	}))
	l.add(name+"-set-equals", one(typeBoolean), bags, onSets(func(e *evaluation, a, b []value) (result, *rules.Status) {
		return truth(e.subset(a, b) && e.subset(b, a))
	}))
}

// onSets charges for comparing each with each, and folds more than two bags.
func onSets(f func(e *evaluation, a, b []value) (result, *rules.Status)) call {
	return func(e *evaluation, args []result) (result, *rules.Status) {
		out := args[0]
		for _, next := range args[1:] {
			n := len(out.bag) + len(next.bag)
			if s := e.charge(n * n / 2); s != nil {
				return result{}, s
			}
			var status *rules.Status
			if out, status = f(e, out.bag, next.bag); status != nil {
				return result{}, status
			}
		}
		return out, nil
	}
}

func (e *evaluation) has(bag []value, v value) bool {
	for i := range bag {
		if bag[i].equal(v, e.zone) {
			return true
		}
	}
	return false
}

func (e *evaluation) subset(a, b []value) bool {
	for _, v := range a {
		if !e.has(b, v) {
			return false
		}
	}
	return true
}

func (e *evaluation) distinct(bag []value, keep func(value) bool) []value {
	var out []value
	for _, v := range bag {
		if keep(v) && !e.has(out, v) {
			out = append(out, v)
		}
	}
	return out
}
