package provisioning

// AccountCount is how many accounts of a target are in a state.
type AccountCount struct {
	Target TargetName
	State  State
	Held   bool // they wait for an admin, see [Admission]
	Count  int64
}
