package xacml

import (
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// higher is a function that applies another one over bags (appendix A.3.12).
type higher struct {
	name string // without the prefix
	fn   *function
	call call
	args []expression
	at   place
}

// higherOrder returns the name of a function that takes a function, "" if the
// identifier is none. The three of XACML 1.0 that 3.0 defines anew mean the same.
func higherOrder(id string) string {
	name, old := strings.CutPrefix(id, fn1)
	if !old {
		var ok bool
		if name, ok = strings.CutPrefix(id, fn3); !ok {
			return ""
		}
	}
	switch name {
	case "any-of", "all-of", "any-of-any", "map":
		return name
	case "all-of-any", "any-of-all", "all-of-all":
		if old {
			return name
		}
	}
	return ""
}

func (h *higher) kind() kind {
	if h.name == "map" {
		return bagOf(h.fn.out.typ)
	}
	return one(typeBoolean)
}

func (h *higher) eval(e *evaluation) (result, *rules.Status) {
	args := make([]result, len(h.args)) // not on the stack: the calls below use it
	for i, x := range h.args {
		var status *rules.Status
		if args[i], status = x.eval(e); status != nil {
			return result{}, status
		}
	}
	w := walk{higher: h, e: e, args: args, now: make([]result, len(args))}
	var r result
	var status *rules.Status
	switch h.name {
	case "map":
		r, status = w.mapped()
	case "any-of", "any-of-any":
		r, status = w.quantify(0, allQuantifiers(true, len(args)))
	case "all-of":
		r, status = w.quantify(0, allQuantifiers(false, len(args)))
	case "all-of-any":
		r, status = w.quantify(0, []bool{false, true})
	case "any-of-all":
		r, status = w.quantify(0, []bool{true, false})
	default: // all-of-all
		r, status = w.quantify(0, []bool{false, false})
	}
	if status != nil {
		return result{}, placed(status, h.at)
	}
	return r, nil
}

func allQuantifiers(exists bool, n int) []bool {
	out := make([]bool, n)
	for i := range out {
		out[i] = exists
	}
	return out
}

// walk goes through the combinations of the arguments.
type walk struct {
	*higher
	e    *evaluation
	args []result
	now  []result // the combination at hand
}

func (w *walk) invoke() (result, *rules.Status) {
	if s := w.e.charge(1); s != nil {
		return result{}, s
	}
	return w.call(w.e, w.now)
}

// quantify fixes the n-th argument and those after it; a bag is gone through with
// "exists" or "for all". As with and and or, an error counts only if the rest
// does not decide.
func (w *walk) quantify(n int, exists []bool) (result, *rules.Status) {
	if n == len(w.args) {
		return w.invoke()
	}
	if !w.higher.args[n].kind().bag {
		w.now[n] = w.args[n]
		return w.quantify(n+1, exists)
	}
	var first *rules.Status
	for _, v := range w.args[n].bag {
		w.now[n] = result{value: v}
		r, status := w.quantify(n+1, exists)
		switch {
		case status != nil && status.Code == rules.StatusCostExceeded:
			return result{}, status
		case status != nil && first == nil:
			first = status
		case status == nil && r.value.bool() == exists[n]:
			return truth(exists[n])
		}
	}
	if first != nil {
		return result{}, first
	}
	return truth(!exists[n])
}

// mapped applies the function to each value of the one bag.
func (w *walk) mapped() (result, *rules.Status) {
	bag := 0
	for i, x := range w.higher.args {
		w.now[i] = w.args[i]
		if x.kind().bag {
			bag = i
		}
	}
	out := make([]value, 0, len(w.args[bag].bag))
	for _, v := range w.args[bag].bag {
		w.now[bag] = result{value: v}
		r, status := w.invoke()
		if status != nil {
			return result{}, status
		}
		out = append(out, r.value)
	}
	return result{bag: out}, nil
}
