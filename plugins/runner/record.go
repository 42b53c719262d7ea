package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Bounds of what a child's record may carry.
const (
	maxAttributes = 32
	maxKey        = 64      // bytes of an attribute's name
	maxValue      = 1 << 10 // bytes of an attribute's value
	maxNesting    = 4       // groups within groups that keep their names
)

// record is a line that a child logged as JSON, as usual loggers write it.
type record struct {
	level      slog.Level
	message    string
	attributes []attribute // in the order of their names
}

// attribute is a leaf of a record; its name holds the names of its groups.
type attribute struct{ name, text string }

// parseRecord reads a JSON object with a level or a message, as slog, hclog and
// pino write it. Anything else is no record. It assumes no type of what a child
// prints.
func parseRecord(line []byte) (record, bool) {
	var fields map[string]any
	if line[0] != '{' || !decodeObject(line, &fields) {
		return record{}, false
	}
	r := record{level: levelOf(fields)}
	known := false
	for _, name := range []string{"msg", "message", "@message"} {
		if text, ok := fields[name].(string); ok && !known {
			r.message, known = text, true
			delete(fields, name)
		}
	}
	if !known {
		return record{}, false
	}
	for _, name := range []string{"level", "@level", "time", "@timestamp"} { // ours say it
		delete(fields, name)
	}
	r.flatten("", fields, 0)
	return r, true
}

func decodeObject(line []byte, into *map[string]any) bool {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber() // as it was written
	return d.Decode(into) == nil && !d.More() && *into != nil
}

// flatten adds the leaves below a group, the first maxAttributes of them.
func (r *record) flatten(prefix string, fields map[string]any, depth int) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if len(r.attributes) == maxAttributes {
			return
		}
		switch v := fields[name].(type) {
		case map[string]any:
			if depth < maxNesting {
				r.flatten(prefix+name+".", v, depth+1)
				continue
			}
			r.add(prefix+name, v)
		case string:
			r.attributes = append(r.attributes, attribute{prefix + name, v})
		default:
			r.add(prefix+name, v)
		}
	}
}

func (r *record) add(name string, v any) {
	text, _ := json.Marshal(v) // it came from JSON
	r.attributes = append(r.attributes, attribute{name, string(text)})
}

// levelOf reads the level by its usual names, or by the numbers of pino and
// bunyan. Anything else is Info.
func levelOf(fields map[string]any) slog.Level {
	v, ok := fields["@level"].(string)
	if !ok {
		v, ok = fields["level"].(string)
	}
	if n, number := fields["level"].(json.Number); !ok && number {
		v = string(n)
	}
	switch strings.ToLower(v) {
	case "trace", "debug", "10", "20":
		return slog.LevelDebug
	case "warn", "warning", "40":
		return slog.LevelWarn
	case "error", "fatal", "panic", "50", "60":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// log writes a child's record as one of ours. Its attributes stand in a group of
// their own, so that none can pass for what the host knows of the child, and its
// message behind a prefix.
func (l *Log) log(logger *slog.Logger, stream string, r record) {
	attributes := make([]any, len(r.attributes))
	for i, a := range r.attributes {
		attributes[i] = slog.String(l.sanitise([]byte(a.name), maxKey, 0), l.sanitise([]byte(a.text), maxValue, 0))
	}
	message := "connector: " + l.sanitise([]byte(r.message), maxValue, 0)
	logger.Log(context.Background(), r.level, message, "stream", stream, slog.Group("record", attributes...))
}
