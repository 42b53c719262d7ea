package resources

import "github.com/anteroom-id/anteroom/provisioning"

func (t Target) checkLimits(path string, p *Problems) {
	if n := t.MaxConcurrency; n != nil && (*n < 1 || *n > provisioning.MaxConcurrency) {
		p.add(path+"max_concurrency", "must be from 1 to %d", provisioning.MaxConcurrency)
	}
	if t.RatePerMinute < 0 || t.RatePerMinute > provisioning.MaxRate {
		p.add(path+"rate_per_minute", "must be from 0, for no limit, to %d", provisioning.MaxRate)
	}
}

// limit sets the domain target's limits, with defaults for what is left out.
func (t Target) limit(out *provisioning.Target) {
	out.MaxConcurrency, out.RatePerMinute = provisioning.DefaultConcurrency, t.RatePerMinute
	if t.MaxConcurrency != nil {
		out.MaxConcurrency = *t.MaxConcurrency
	}
	if t.Maintenance != nil {
		out.Maintenance = *t.Maintenance
	}
}

// exportLimits is the inverse: defaults are left out.
func (t *Target) exportLimits(from provisioning.Target) {
	if from.MaxConcurrency != provisioning.DefaultConcurrency {
		t.MaxConcurrency = &from.MaxConcurrency
	}
	t.RatePerMinute = from.RatePerMinute
	if from.Maintenance {
		t.Maintenance = &from.Maintenance
	}
}
