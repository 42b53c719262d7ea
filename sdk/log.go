package sdk

import (
	"context"
	"log/slog"
)

type loggerKey struct{}

// WithLogger returns a context whose [Logger] is l. Package serve does this for
// every call; a test may do it to see what a connector logs.
func WithLogger(ctx context.Context, l *slog.Logger) context.Context {
	return context.WithValue(ctx, loggerKey{}, l)
}

// Logger returns the logger of the call that ctx belongs to. Its records reach
// the host's log: the level, the message and the attributes as given, beside the
// host's own time and the connector's name; secrets of the configuration are
// taken out on the way, and a flood is cut. Records below Info stay in the
// connector. The verb, the instance and the trace are attributes already. The
// logger given to open stays good after it.
//
// Records of package log and of slog's default logger go the same way, without
// those attributes. Log no user's values.
func Logger(ctx context.Context) *slog.Logger {
	if l, ok := ctx.Value(loggerKey{}).(*slog.Logger); ok {
		return l
	}
	return slog.New(slog.DiscardHandler)
}
