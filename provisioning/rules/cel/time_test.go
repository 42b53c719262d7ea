package cel

import (
	"fmt"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

func TestMinuteOf(t *testing.T) {
	for s, want := range map[string]int{
		"00:00": 0, "09:05": 545, "23:59": 1439, "24:00": 1440,
		"24:01": -1, "25:00": -1, "9:00": -1, "09:60": -1, "09:5": -1, "0900": -1, "": -1, "-1:00": -1, "+1:00": -1, "09:00:00": -1, "aa:bb": -1,
	} {
		if got := minuteOf(s); got != want {
			t.Errorf("minuteOf(%q) = %d, want %d", s, got, want)
		}
	}
}

// TestWindowAgainstTheDay compares each window with a walk over the day.
func TestWindowAgainstTheDay(t *testing.T) {
	at := func(m int) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }
	for from := 0; from < minutesADay; from += 97 {
		for until := 0; until <= minutesADay; until += 60 {
			w, err := parseWindow(at(from), at(until))
			if (err != nil) != (from == until) {
				t.Fatalf("%s to %s: %v", at(from), at(until), err)
			}
			if err != nil {
				continue
			}
			inside := map[int]bool{}
			for m := from; m != until && m%minutesADay != until%minutesADay; m++ {
				inside[m%minutesADay] = true
			}
			if from == 0 && until == minutesADay {
				continue // the whole day, which the walk cannot tell from none
			}
			for m := range minutesADay {
				if w.has(m) != inside[m] {
					t.Fatalf("%s to %s has %s: %t", at(from), at(until), at(m), w.has(m))
				}
			}
		}
	}
	if w, err := parseWindow("00:00", "24:00"); err != nil || !w.has(0) || !w.has(1439) {
		t.Errorf("the whole day: %v, %v", w, err)
	}
}

// TestWindowsAndZones asks at moments that are given in UTC. In Berlin, clocks were
// set from 02:00 to 03:00 at 01:00 UTC on 29 March 2026, and from 03:00 back to 02:00
// at 01:00 UTC on 25 October 2026.
func TestWindowsAndZones(t *testing.T) {
	for _, c := range []struct {
		zone, from, until, now string
		want                   bool
	}{
		{"UTC", "09:00", "17:00", "2026-06-01T09:00:00Z", true},
		{"UTC", "09:00", "17:00", "2026-06-01T08:59:59Z", false},
		{"UTC", "09:00", "17:00", "2026-06-01T16:59:59Z", true},
		{"UTC", "09:00", "17:00", "2026-06-01T17:00:00Z", false},
		{"UTC", "22:00", "06:00", "2026-06-01T23:30:00Z", true},
		{"UTC", "22:00", "06:00", "2026-06-01T00:00:00Z", true},
		{"UTC", "22:00", "06:00", "2026-06-01T05:59:00Z", true},
		{"UTC", "22:00", "06:00", "2026-06-01T06:00:00Z", false},
		{"UTC", "22:00", "06:00", "2026-06-01T12:00:00Z", false},
		{"UTC", "18:00", "24:00", "2026-06-01T23:59:59Z", true},
		{"UTC", "18:00", "24:00", "2026-06-01T00:00:00Z", false},
		{"UTC", "22:00", "00:00", "2026-06-01T23:59:59Z", true},
		{"Asia/Colombo", "09:00", "17:00", "2026-06-01T03:30:00Z", true}, // +05:30
		{"Asia/Colombo", "09:00", "17:00", "2026-06-01T03:29:00Z", false},
		{"Pacific/Kiritimati", "00:00", "01:00", "2026-06-01T10:30:00Z", true}, // +14:00, the next day
		{"Europe/Berlin", "09:00", "17:00", "2026-03-28T08:00:00Z", true},      // the day before: +01:00
		{"Europe/Berlin", "09:00", "17:00", "2026-03-29T07:00:00Z", true},      // the day: +02:00
		{"Europe/Berlin", "09:00", "17:00", "2026-03-29T06:59:00Z", false},
		{"Europe/Berlin", "02:00", "03:00", "2026-03-29T00:59:59Z", false}, // 01:59 is followed by 03:00:
		{"Europe/Berlin", "02:00", "03:00", "2026-03-29T01:00:00Z", false}, // the window does not occur
		{"Europe/Berlin", "01:30", "03:30", "2026-03-29T00:59:59Z", true},
		{"Europe/Berlin", "01:30", "03:30", "2026-03-29T01:00:00Z", true},
		{"Europe/Berlin", "01:30", "03:30", "2026-03-29T01:30:00Z", false},
		{"Europe/Berlin", "02:00", "03:00", "2026-10-25T00:30:00Z", true}, // 02:30 for the first time
		{"Europe/Berlin", "02:00", "03:00", "2026-10-25T01:30:00Z", true}, // and for the second
		{"Europe/Berlin", "02:00", "03:00", "2026-10-25T02:00:00Z", false},
		{"Europe/Berlin", "22:00", "06:00", "2026-10-24T20:00:00Z", true}, // the night of nine hours
		{"Europe/Berlin", "22:00", "06:00", "2026-10-25T04:59:00Z", true},
		{"Europe/Berlin", "22:00", "06:00", "2026-10-25T05:00:00Z", false},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		s := compile(t, "timezone: "+c.zone+"\n"+one(fmt.Sprintf("env.between('%s', '%s')", c.from, c.until)))
		for _, now := range []time.Time{now, now.In(time.FixedZone("elsewhere", -7*3600))} {
			got := s.Decide(&rules.Request{Now: now}).Decision
			if (got == rules.Permit) != c.want || got.Indeterminate() {
				t.Errorf("%s to %s in %s at %s: %s", c.from, c.until, c.zone, c.now, got)
			}
		}
	}
}

// TestClock shows the fields of env in the zone of the set.
func TestClock(t *testing.T) {
	s := compile(t, "timezone: Asia/Colombo\n"+one(
		"env.hour == 1 && env.minute_of_day == 75 && env.weekday == 'thu' && env.date == '2026-01-01' && env.now == timestamp('2025-12-31T19:45:00Z')"))
	r := &rules.Request{Now: time.Date(2025, 12, 31, 19, 45, 0, 0, time.UTC)}
	if got := s.Decide(r); got.Decision != rules.Permit {
		t.Errorf("%+v", s.Explain(r, nil).Text())
	}
}
