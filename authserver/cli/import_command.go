package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/anteroom-id/anteroom/authserver/wso2"
)

type importCommands struct {
	WSO2 importWSO2Command `cmd:"" name:"wso2" help:"Outbound provisioning of an identity provider of WSO2 Identity Server: prints a resources file, and on standard error what became of every key."`
}

type importWSO2Command struct {
	File   string   `arg:"" help:"Identity provider as JSON (REST API, export) or XML (export, SOAP API), - for standard input."`
	Policy []string `help:"Provisioning policy (XACML) of that server; repeat for several." sep:"none" placeholder:"FILE"`
}

// Run prints what apply takes. It needs no configuration and applies nothing.
func (c importWSO2Command) Run(r *run) error {
	raw, err := readFile(r, c.File)
	if err != nil {
		return err
	}
	policies, err := c.policies(r)
	if err != nil {
		return err
	}
	result, err := wso2.Import(raw, policies...)
	if err != nil {
		return fmt.Errorf("import wso2: %w", err)
	}
	text, err := result.YAML()
	if err != nil {
		return err
	}
	return r.printText(result, func(w io.Writer) error {
		if _, err := w.Write(text); err != nil {
			return err
		}
		t := tabwriter.NewWriter(r.env.Stderr, 0, 4, 2, ' ', 0)
		row(t, "target", "key", "", "")
		for _, l := range result.Report {
			what := string(l.Verdict)
			if l.To != "" {
				what += ": " + l.To
			}
			row(t, l.Target, l.Key, what, l.Note)
		}
		return t.Flush()
	})
}

func (c importWSO2Command) policies(r *run) ([]wso2.Policy, error) {
	var out []wso2.Policy
	for _, name := range c.Policy {
		raw, err := readFile(r, name)
		if err != nil {
			return nil, err
		}
		out = append(out, wso2.Policy{Name: name, Text: raw})
	}
	return out, nil
}
