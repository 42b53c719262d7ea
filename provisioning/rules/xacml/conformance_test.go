package xacml

import (
	"archive/tar"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// sharedData is beside the repository: data of others under their licences.
const sharedData = "../../../../shared/xacml-ct/"

// readArchive returns the files of an archive by their path. Where there is no
// archive the test says so; in CI it fails.
func readArchive(t testing.TB, name string) map[string][]byte {
	t.Helper()
	f, err := os.Open(sharedData + name)
	if errors.Is(err, os.ErrNotExist) {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not beside the repository, and CI needs it", name)
		}
		t.Skipf("NOT TESTED: %s is not beside the repository", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	packed, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(packed); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			files[path.Clean(h.Name)] = b
		}
	}
}

// mandatoryCases is how many there are, so that none gets lost.
const mandatoryCases = 455

func TestConformance(t *testing.T) {
	files := readArchive(t, "xacml30-mandatory.tar.gz")
	cases := map[string]bool{}
	for name := range files {
		if parts := strings.Split(name, "/"); parts[0] == "mandatory" && len(parts) > 2 {
			cases[parts[1]] = true
		}
	}
	if len(cases) != mandatoryCases {
		t.Fatalf("the archive has %d cases, want %d", len(cases), mandatoryCases)
	}
	passed, refused := 0, 0
	for name := range cases {
		t.Run(name, func(t *testing.T) {
			if conform(t, files, "mandatory/"+name+"/") {
				refused++
			}
			if !t.Failed() {
				passed++
			}
		})
	}
	t.Logf("XACML 3.0 conformance: %d of %d mandatory cases pass, %d of them by refusal at load", passed, len(cases), refused)
}

// conform runs one case and reports whether it is one that is to be refused.
func conform(t *testing.T, files map[string][]byte, dir string) bool {
	root, referenced := documents(files, dir)
	set, err := Compile(Options{}, root, referenced...)
	if _, refuse := files[dir+"Response.xml.ignore"]; refuse {
		var place *rules.Error
		if !errors.As(err, &place) || place.Line == 0 {
			t.Errorf("error = %v, want a refusal with its place", err)
		}
		return true
	}
	if err != nil {
		t.Error(err)
		return false
	}
	request, err := ParseRequest(files[dir+"Request.xml"])
	if err != nil {
		t.Error(err)
		return false
	}
	got := set.DecideContext(request, nine)
	if diff := cmp.Diff(wanted(t, files[dir+"Response.xml"]), answered(got)); diff != "" {
		t.Errorf("(-want +got), status %+v:\n%s", got.Status, diff)
	}
	explained(t, set, &contextFacts{context: request, now: nine}, nine, got)
	return false
}

func documents(files map[string][]byte, dir string) (root Document, referenced []Document) {
	for name, b := range files {
		rest, ok := strings.CutPrefix(name, dir)
		switch {
		case !ok:
		case rest == "Policy.xml", rest == "Policies/Policy.xml":
			root = Document{XML: b}
		case strings.HasPrefix(rest, "Policies/"):
			referenced = append(referenced, Document{Name: rest, XML: b})
		}
	}
	return root, referenced
}

// answer is what a Response says, in a form to compare.
type answer struct {
	Decision, Status    string
	Obligations, Advice []string
}

type responseXML struct {
	Result struct {
		Decision string
		Status   struct {
			StatusCode struct {
				Value string `xml:",attr"`
			}
		}
		Obligations []dutyXML `xml:"Obligations>Obligation"`
		Advice      []dutyXML `xml:"AssociatedAdvice>Advice"`
	}
}

type dutyXML struct {
	ObligationId, AdviceId string `xml:",attr"`
	AttributeAssignment    []struct {
		AttributeId, Category, Issuer, DataType string `xml:",attr"`
		Text                                    string `xml:",chardata"`
	}
}

func wanted(t *testing.T, doc []byte) answer {
	t.Helper()
	var r responseXML
	if err := xml.Unmarshal(doc, &r); err != nil {
		t.Fatal(err)
	}
	out := answer{Decision: r.Result.Decision, Status: r.Result.Status.StatusCode.Value}
	for _, d := range r.Result.Obligations {
		out.Obligations = append(out.Obligations, d.String())
	}
	for _, d := range r.Result.Advice {
		out.Advice = append(out.Advice, d.String())
	}
	return out
}

func (d dutyXML) String() string {
	o := rules.Obligation{ID: d.ObligationId + d.AdviceId}
	for _, a := range d.AttributeAssignment {
		o.Assignments = append(o.Assignments, rules.Assignment{ID: a.AttributeId, Category: a.Category, Issuer: a.Issuer, Type: a.DataType, Value: a.Text})
	}
	return canonical(o)
}

// canonical writes a duty with its values in one form per value: which of several
// spellings is returned is free.
func canonical(o rules.Obligation) string {
	lines := []string{}
	for _, a := range o.Assignments {
		v, ok := parseValue(typeByID(a.Type), a.Value)
		if !ok {
			return "not a value: " + a.Value
		}
		if v.typ != typeX500Name && v.typ != typeRFC822Name {
			v.lexical = ""
		}
		lines = append(lines, fmt.Sprintf("%s|%s|%s|%s|%s", a.ID, a.Category, a.Issuer, a.Type, v.text()))
	}
	return o.ID + "\n" + strings.Join(lines, "\n")
}

func answered(r rules.Result) answer {
	out := answer{Decision: strings.SplitN(r.Decision.String(), "{", 2)[0], Status: urn + "1.0:status:" + string(r.Status.Code)}
	if r.Status.Code == rules.StatusOK {
		out.Status = urn + "1.0:status:ok"
	}
	for _, o := range r.Obligations {
		out.Obligations = append(out.Obligations, canonical(o))
	}
	for _, o := range r.Advice {
		out.Advice = append(out.Advice, canonical(o))
	}
	return out
}

func TestTemplatesCompile(t *testing.T) {
	files := readArchive(t, "wso2-xacml-templates.tar.gz")
	var names []string
	for name := range files {
		if strings.HasSuffix(name, ".xml") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) != 18 {
		t.Fatalf("%d templates, want 18", len(names))
	}
	for _, name := range names {
		if _, err := Compile(Options{WSO2: true}, Document{Name: name, XML: files[name]}); err != nil {
			t.Error(err)
		}
	}
}
