package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/anteroom-id/anteroom/sdk"
)

// describe prints the description as JSON and returns the exit code.
func describe(w io.Writer, c sdk.Connector) int {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c.Describe()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// usage tells a person who started the connector by hand what it is.
func usage(w io.Writer, c sdk.Connector, program string) {
	d := c.Describe()
	fmt.Fprintf(w, "%s %s is a connector: Anteroom starts it and talks to it.\n", d.DisplayName, d.Version)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	heading(tw, "Configuration", len(d.Config))
	for _, f := range d.Form() {
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", f.Name, fieldTraits(f), f.Help)
	}
	heading(tw, "Attributes", len(d.Attributes))
	for _, a := range d.Attributes {
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", a.Name, attributeTraits(a), a.Help)
	}
	_ = tw.Flush()
	fmt.Fprintf(w, "\nTo see the same as JSON:  %s describe\nTo try it out:            anteroom connector test %s\n", program, program)
}

func heading(w io.Writer, title string, entries int) {
	if entries == 0 {
		title += ": none"
	} else {
		title += ":"
	}
	fmt.Fprintf(w, "\n%s\n", title)
}

func fieldTraits(f sdk.Field) string {
	traits := []string{string(f.Type)}
	if f.Required {
		traits = append(traits, "required")
	}
	if f.Secret {
		traits = append(traits, "secret")
	}
	if f.Enum != nil {
		traits = append(traits, "one of "+strings.Join(f.Enum, "|"))
	}
	if f.Default != "" {
		traits = append(traits, "default "+f.Default)
	}
	if f.When.Field != "" {
		traits = append(traits, "when "+f.When.String())
	}
	return strings.Join(traits, ", ")
}

func attributeTraits(a sdk.Attribute) string {
	traits := []string{string(a.Type)}
	for _, t := range []struct {
		is   bool
		name string
	}{
		{a.Required, "required"}, {a.MultiValued, "multi-valued"}, {a.CreateOnly, "create only"},
		{a.Correlate > 0, "correlates"}, {a.Owner, "owner"},
	} {
		if t.is {
			traits = append(traits, t.name)
		}
	}
	return strings.Join(traits, ", ")
}
