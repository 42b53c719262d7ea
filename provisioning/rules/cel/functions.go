package cel

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

const (
	funcBetween   = "between"
	funcInNetwork = "in_network"
)

var (
	errClock   = errors.New(`needs times such as "09:00"`)
	errWindow  = errors.New("begins and ends at the same time")
	errNetwork = errors.New(`needs a network such as "10.0.0.0/8"`)
)

// functions are those of the vocabulary.
func functions() []cel.EnvOption {
	return []cel.EnvOption{
		cel.Function(funcBetween, cel.MemberOverload("env_between_string_string",
			[]*cel.Type{cel.ObjectType("Env"), cel.StringType, cel.StringType}, cel.BoolType, cel.FunctionBinding(between))),
		cel.Function(funcInNetwork, cel.MemberOverload("string_in_network_string",
			[]*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(inNetwork))),
	}
}

func between(args ...ref.Val) ref.Val {
	env, ok := args[0].Value().(*clock)
	from, okFrom := args[1].(types.String)
	until, okUntil := args[2].(types.String)
	if !ok || !okFrom || !okUntil {
		return types.NoSuchOverloadErr()
	}
	w, err := parseWindow(string(from), string(until))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(w.has(env.MinuteOfDay))
}

// window is a part of the day, by the clock on the wall: it begins with the minute
// from and ends before the minute until, over midnight when that comes first. On
// the day clocks are set forward the minutes left out do not occur; on the day they
// are set back the repeated ones occur twice.
type window struct{ from, until int }

func parseWindow(from, until string) (window, error) {
	w := window{minuteOf(from), minuteOf(until)}
	switch {
	case w.from < 0 || w.until < 0 || w.from == minutesADay:
		return window{}, errClock
	case w.from == w.until:
		return window{}, errWindow
	}
	return w, nil
}

func (w window) has(minute int) bool {
	if w.from < w.until {
		return w.from <= minute && minute < w.until
	}
	return w.from <= minute || minute < w.until
}

// minuteOf reads hh:mm, up to 24:00 for the end of the day; -1 for anything else.
func minuteOf(s string) int {
	h, m, ok := strings.Cut(s, ":")
	if !ok || len(h) != 2 || len(m) != 2 {
		return -1
	}
	hour, errHour := strconv.ParseUint(h, 10, 8)
	minute, errMinute := strconv.ParseUint(m, 10, 8)
	at := int(hour)*60 + int(minute)
	if errHour != nil || errMinute != nil || minute > 59 || at > minutesADay {
		return -1
	}
	return at
}

func inNetwork(address, network ref.Val) ref.Val {
	a, okAddress := address.(types.String)
	n, okNetwork := network.(types.String)
	if !okAddress || !okNetwork {
		return types.NoSuchOverloadErr()
	}
	prefix, err := parseNetwork(string(n))
	if err != nil {
		return types.WrapErr(err)
	}
	ip, err := netip.ParseAddr(string(a))
	return types.Bool(err == nil && prefix.Contains(ip.Unmap())) // no address is in no network
}

func parseNetwork(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p != p.Masked() {
		return netip.Prefix{}, errNetwork
	}
	return p, nil
}

// literals checks the arguments of our functions that are written out: a mistake in
// them must not wait for the first sign-in.
type literals struct{}

// Name is that of the validator.
func (literals) Name() string { return "anteroom.literals" }

// Validate reports what is wrong at the argument or the call.
func (literals) Validate(_ *cel.Env, _ cel.ValidatorConfig, checked *ast.AST, issues *cel.Issues) {
	ast.PreOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		call := e.AsCall()
		var args []string
		for _, a := range call.Args() {
			s, ok := literal(a)
			if !ok {
				return
			}
			args = append(args, s)
		}
		var err error
		switch {
		case call.FunctionName() == funcBetween && len(args) == 2:
			_, err = parseWindow(args[0], args[1])
		case call.FunctionName() == funcInNetwork && len(args) == 1:
			_, err = parseNetwork(args[0])
		}
		if err != nil {
			issues.ReportErrorAtID(call.Args()[0].ID(), "%s %v", call.FunctionName(), err)
		}
	}))
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}
