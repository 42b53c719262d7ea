package provisioning

import "testing"

// Each of the eight combinations has a sentence of its own.
func TestExplainEveryCombination(t *testing.T) {
	seen := map[string]bool{}
	for i := range 8 {
		b := Binding{Blocking: i&1 != 0, EnableRules: i&2 != 0, JITOutbound: i&4 != 0}
		sentence := b.Explain()
		if sentence == "" || seen[sentence] {
			t.Errorf("%+v: %q is empty or not its own", b, sentence)
		}
		seen[sentence] = true
	}
}
