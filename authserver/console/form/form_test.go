package form_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/console/form"
)

// note is a document with everything a form has inputs for.
type note struct {
	Name   string            `json:"name,omitempty"`
	Off    bool              `json:"off,omitempty"`
	Count  *int              `json:"count,omitempty"`
	Tags   []string          `json:"tags,omitempty"`
	Rows   []row             `json:"rows,omitempty"`
	Kept   map[string]string `json:"kept,omitempty"`
	Secret *secret           `json:"secret,omitempty"`
}

type row struct {
	Kind string `json:"kind,omitempty"`
}

type secret struct {
	Value  string `json:"value,omitempty"`
	Stored bool   `json:"stored,omitempty"`
}

func inputs() []form.Input {
	return []form.Input{
		{Path: "name", Kind: form.Text, Required: true},
		{Path: "off", Kind: form.Check, Inverted: true},
		{Path: "count", Kind: form.Number},
		{Path: "tags", Kind: form.Lines},
		{Path: "rows[1].kind", Kind: form.Choice, Options: []form.Option{{Value: ""}, {Value: "a"}}},
		{Path: "secret", Kind: form.Secret},
	}
}

func TestUpdate(t *testing.T) {
	old := note{Name: "old", Tags: []string{"x"}, Rows: []row{{"a"}}, Kept: map[string]string{"k": "v"}, Secret: &secret{Stored: true}}
	var got note
	problems, err := form.Update(old, inputs(), url.Values{
		"name": {" new "}, "off": {"true"}, "count": {"7"}, "tags": {"a\r\n\r\n b "}, "rows[1].kind": {"a"}, "other": {"ignored"},
	}, &got)
	if err != nil || len(problems) > 0 {
		t.Fatalf("Update: %v, %v", problems, err)
	}
	seven := 7
	want := note{Name: "new", Count: &seven, Tags: []string{"a", "b"}, Rows: []row{{"a"}, {"a"}}, Kept: old.Kept, Secret: old.Secret}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
	got = note{}
	if _, err = form.Update(old, inputs(), url.Values{"name": {"x"}, "secret": {"hush"}}, &got); err != nil || got.Secret.Value != "hush" || got.Secret.Stored || !got.Off {
		t.Errorf("with a secret: %+v, %v", got, err)
	}
}

// What does not fit is named, and the document keeps what it had there.
func TestUpdateProblems(t *testing.T) {
	old := note{Name: "old"}
	var got note
	problems, err := form.Update(old, inputs(), url.Values{"name": {"  "}, "count": {"many"}}, &got)
	if err != nil {
		t.Fatal(err)
	}
	want := form.Problems{"name": "must be given", "count": "must be a whole number"}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if got.Name != "old" || got.Count != nil {
		t.Errorf("document = %+v", got)
	}
}

func TestFill(t *testing.T) {
	sections := []form.Section{{Title: "A", Folded: true, Inputs: []form.Input{{Path: "tags", Kind: form.Lines}, {Path: "secret", Kind: form.Secret}}}, {Title: "B", Folded: true, Inputs: []form.Input{{Path: "off", Kind: form.Check, Inverted: true}}}}
	values, err := form.Values(note{Tags: []string{"a", "b"}, Secret: &secret{Value: "hush"}})
	if err != nil {
		t.Fatal(err)
	}
	filled := form.Fill(sections, values, form.Problems{"tags[1]": "is there twice"})
	tags, hidden, off := filled[0].Fields[0], filled[0].Fields[1], filled[1].Fields[0]
	if tags.Value != "a\nb" || tags.Problem != "line 2: is there twice" || tags.ID != "f-tags" {
		t.Errorf("tags = %+v", tags)
	}
	if hidden.Value != "" || hidden.Values != nil {
		t.Errorf("a secret is shown: %+v", hidden)
	}
	if !off.Checked() || !filled[0].Open || filled[1].Open {
		t.Errorf("checked = %v, open = %v, %v", off.Checked(), filled[0].Open, filled[1].Open)
	}
}

// Whatever is sent, the form is drawn again or the document holds it.
func FuzzUpdate(f *testing.F) {
	f.Add("name", "7", "a\nb", "a", "true")
	f.Add("", "-", "\r\n", "\xff", "")
	f.Fuzz(func(t *testing.T, name, count, tags, kind, off string) {
		sent := url.Values{"name": {name}, "count": {count}, "tags": {tags}, "rows[1].kind": {kind}, "off": {off}}
		var got note
		problems, err := form.Update(note{}, inputs(), sent, &got)
		if err != nil {
			t.Fatal(err)
		}
		if len(problems) == 0 && got.Name == "" {
			t.Errorf("a required name was left out of %+v", got)
		}
	})
}
