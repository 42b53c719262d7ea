package expression

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Normalise writes letters with marks as their base letters, and those that have none
// as is usual (ß → ss, Ł → L, æ → ae): ASCII for every Latin script. Other scripts
// stay as they are.
func Normalise(s string) string {
	if isASCII(s) {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	for _, c := range norm.NFKD.String(s) {
		switch base := baseOf(c); {
		case base != "":
			out.WriteString(base)
		case !unicode.Is(unicode.Mn, c):
			out.WriteRune(c)
		}
	}
	return norm.NFC.String(out.String()) // what is no Latin letter keeps its form
}

// normaliseGerman is Normalise for names that are written the German way.
func normaliseGerman(s string) string {
	s = norm.NFC.String(s)
	s = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue").Replace(s)
	return Normalise(s)
}

// baseOf is for letters and signs that Unicode does not take apart; "" for the rest.
func baseOf(c rune) string {
	switch c {
	case 'ß':
		return "ss"
	case 'ẞ':
		return "SS"
	case 'æ':
		return "ae"
	case 'Æ':
		return "AE"
	case 'œ':
		return "oe"
	case 'Œ':
		return "OE"
	case 'ø':
		return "o"
	case 'Ø':
		return "O"
	case 'ł':
		return "l"
	case 'Ł':
		return "L"
	case 'đ', 'ð':
		return "d"
	case 'Đ', 'Ð':
		return "D"
	case 'þ':
		return "th"
	case 'Þ':
		return "Th"
	case 'ħ':
		return "h"
	case 'Ħ':
		return "H"
	case 'ŧ':
		return "t"
	case 'Ŧ':
		return "T"
	case 'ı':
		return "i"
	case 'ĸ':
		return "k"
	case 'ŋ':
		return "n"
	case 'Ŋ':
		return "N"
	case '’', '‘', 'ʼ', 'ʹ':
		return "'"
	case '‐', '‑', '‒', '–', '—':
		return "-"
	}
	return ""
}

// Slug makes a text fit for a login: normalised, in lower case, of a-z, 0-9 and single
// dots, dashes and underscores between them. Everything else, blanks included, is left
// out: a name in another script has an empty slug.
func Slug(s string) string {
	var out strings.Builder
	sign := byte(0) // that waits for what comes after it
	for _, c := range strings.ToLower(Normalise(s)) {
		switch {
		case c == '.' || c == '-' || c == '_':
			if sign == 0 && out.Len() > 0 {
				sign = byte(c)
			}
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			if sign != 0 {
				out.WriteByte(sign)
				sign = 0
			}
			out.WriteByte(byte(c))
		}
	}
	return out.String()
}

// Fold returns a text that two values share when they differ only in case or in how
// Unicode writes their letters: no two accounts may have values that fold alike.
func Fold(s string) string {
	// In lower case first: the case folding of Cherokee has no other fixed point.
	return norm.NFKC.String(cases.Fold().String(strings.ToLower(norm.NFKC.String(s))))
}

// left returns at most the first n characters: letters stay with their marks.
func left(s string, n int64) string {
	s = norm.NFC.String(s)
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// right returns at most the last n characters.
func right(s string, n int64) string {
	s = norm.NFC.String(s)
	characters := []rune(s)
	if int64(len(characters)) <= n {
		return s
	}
	return string(characters[int64(len(characters))-n:])
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c > unicode.MaxASCII }) < 0
}
