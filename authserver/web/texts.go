package web

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed texts/*.json
var textFiles embed.FS

// fallbackLanguage has every text.
const fallbackLanguage = "en"

// Texts is a catalogue in one language.
type Texts struct {
	Lang     string // BCP 47, for the lang attribute
	own      map[string]string
	fallback map[string]string
}

// T returns the text of a key, with {name} replaced by the value that follows
// name in args. A text nobody translated is English; an unknown key is itself.
func (t Texts) T(key string, args ...any) string {
	return t.Or(key, key, args...)
}

// Or is [Texts.T] with a text of its own for an unknown key.
func (t Texts) Or(key, unknown string, args ...any) string {
	text, ok := t.own[key]
	if !ok {
		text, ok = t.fallback[key]
	}
	if !ok {
		text = unknown
	}
	if len(args) < 2 {
		return text
	}
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, "{"+fmt.Sprint(args[i])+"}", fmt.Sprint(args[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// scopeItself says nothing about a person but who they are.
const scopeItself = "openid"

// Asks returns what scopes let an application do or know. With a backslash, which no
// scope has (RFC 6749 section 3.3), it is another thing that is asked for, such as
// resource\https://reports.example, whose text is consent.resource.
func (t Texts) Asks(scopes []string) []string {
	var asks []string
	for _, scope := range scopes {
		if kind, value, ok := strings.Cut(scope, `\`); ok {
			asks = append(asks, t.Or("consent."+kind, value, kind, value))
		} else if scope != scopeItself {
			asks = append(asks, t.Or("consent.scope."+scope, scope))
		}
	}
	return asks
}

// Has reports whether the key has a text.
func (t Texts) Has(key string) bool {
	_, own := t.own[key]
	_, fallback := t.fallback[key]
	return own || fallback
}

func loadTexts(files fs.FS) (map[string]Texts, error) {
	names, err := fs.Glob(files, "texts/*.json")
	if err != nil {
		return nil, err
	}
	read := map[string]map[string]string{}
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var texts map[string]string
		if err := json.Unmarshal(raw, &texts); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		read[strings.TrimSuffix(path.Base(name), ".json")] = texts
	}
	out := map[string]Texts{}
	for lang, texts := range read {
		out[lang] = Texts{Lang: lang, own: texts, fallback: read[fallbackLanguage]}
	}
	if _, ok := out[fallbackLanguage]; !ok {
		return nil, fmt.Errorf("no texts/%s.json", fallbackLanguage)
	}
	return out, nil
}

// English returns the catalogue for what an admin reads of what people were told.
func English() Texts {
	texts, err := loadTexts(textFiles)
	if err != nil {
		return Texts{Lang: fallbackLanguage} // the build's fault; keys show as they are
	}
	return texts[fallbackLanguage]
}

// Texts returns the catalogue for a request: the best of the languages the
// application asked for (ui_locales), then of those the browser accepts.
func (v *Renderer) Texts(r *http.Request, uiLocales string) Texts {
	wanted := append(strings.Fields(uiLocales), accepted(r.Header.Get("Accept-Language"))...)
	for _, tag := range wanted {
		for tag = strings.ToLower(tag); tag != ""; {
			if t, ok := v.texts[tag]; ok {
				return t
			}
			tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
		}
	}
	return v.texts[fallbackLanguage]
}

// TextsIn returns the catalogue of a language that Texts returned, or English.
func (v *Renderer) TextsIn(lang string) Texts {
	if t, ok := v.texts[lang]; ok {
		return t
	}
	return v.texts[fallbackLanguage]
}

const maxLanguages = 20

// accepted returns the language tags of an Accept-Language header, best first
// (RFC 9110 section 12.5.4).
func accepted(header string) []string {
	type weighted struct {
		tag string
		q   float64
	}
	var all []weighted
	for part := range strings.SplitSeq(header, ",") {
		tag, params, _ := strings.Cut(part, ";")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(value, 64); err != nil {
				continue
			}
		}
		if tag = strings.TrimSpace(tag); tag != "" && q > 0 && len(all) < maxLanguages {
			all = append(all, weighted{tag, q})
		}
	}
	slices.SortStableFunc(all, func(a, b weighted) int { return cmp.Compare(b.q, a.q) })
	tags := make([]string, len(all))
	for i, w := range all {
		tags[i] = w.tag
	}
	return tags
}
