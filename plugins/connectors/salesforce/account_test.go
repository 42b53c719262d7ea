package salesforce_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce/fake"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// TestNewAccountIsComplete gives what the default mapping has; the org demands
// more.
func TestNewAccountIsComplete(t *testing.T) {
	b := start(t, func(_ *fake.Options, c *salesforce.Config) {
		c.TimeZone, c.Locale, c.Language, c.EmailEncoding = "Europe/Paris", "fr_FR", "fr", "ISO-8859-1"
	})
	a := b.get(t, b.create(t, ada()))
	wantAttributes(t, a, map[string]any{
		"FederationIdentifier": "user-1", "Username": "ada@example.com", "FirstName": "Ada", "LastName": "Lovelace", "Email": "ada@example.com",
		"Alias": "ALovelac", "CommunityNickname": "ada", "Title": nil,
		"TimeZoneSidKey": "Europe/Paris", "LocaleSidKey": "fr_FR", "LanguageLocaleKey": "fr", "EmailEncodingKey": "ISO-8859-1",
	})
	if a.Active == nil || !*a.Active {
		t.Error("the new account is not active")
	}
	if profile := a.Attributes.String("ProfileId"); !strings.HasPrefix(profile, "00e") || len(profile) != 18 {
		t.Errorf("the profile is %q", profile)
	}
}

func TestMappedValuesWin(t *testing.T) {
	b := start(t)
	want := map[string]any{
		"Alias": "countess", "CommunityNickname": "Countess of Lovelace", "TimeZoneSidKey": "Asia/Tokyo", "Title": "Countess", "Department": "R&D",
		"Street": "12 St James's Square\nLondon",
	}
	attributes := ada()
	for name, value := range want {
		attributes[name] = value
	}
	wantAttributes(t, b.get(t, b.create(t, attributes)), want)
}

func TestAliasIsCutWhereCharactersEnd(t *testing.T) {
	b := start(t)
	for i, c := range []struct{ given, family, want string }{
		{"", "Li", "Li"},
		{"  ", "van der Berg", "vanderBe"},
		{"Zoë", "Ångström-Östersson", "ZÅngströ"},
		{"Å", "李小龍", "Å李小龍"},
		{"A", "🎉🎉🎉🎉🎉", "A🎉🎉🎉"}, // each counts as two
	} {
		attributes := ada()
		suffix := string(rune('a' + i))
		attributes["FederationIdentifier"], attributes["Username"] = "user-"+suffix, suffix+"@example.com"
		attributes["FirstName"], attributes["LastName"] = c.given, c.family
		wantAttributes(t, b.get(t, b.create(t, attributes)), map[string]any{"Alias": c.want})
	}
}

// TestTakenNicknameGetsASuffix makes people whose nicknames would be the same.
func TestTakenNicknameGetsASuffix(t *testing.T) {
	b := start(t)
	b.org.Add(fake.Row{"CommunityNickname": "ADA"})
	id := b.create(t, ada())
	if got := b.get(t, id).Attributes.String("CommunityNickname"); !strings.HasPrefix(got, "ada-") || len(got) != len("ada-01234567") {
		t.Errorf("the nickname is %q", got)
	}
	long := strings.Repeat("x", 50)
	b.org.Add(fake.Row{"CommunityNickname": long[:40]})
	attributes := ada()
	attributes["FederationIdentifier"], attributes["Username"] = "user-2", long+"@example.com"
	if got := b.get(t, b.create(t, attributes)).Attributes.String("CommunityNickname"); len(got) != 40 {
		t.Errorf("the nickname %q has not 40 characters", got)
	}
	mapped := ada()
	mapped["FederationIdentifier"], mapped["Username"], mapped["CommunityNickname"] = "user-3", "third@example.com", "ada"
	_, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: mapped, Active: true})
	wantError(t, err, sdk.KindConflict, sdk.EffectNone, "CommunityNickname") // the admin's choice is not changed
}

// TestLookupTakesValuesAsTexts looks for names that would break a query.
func TestLookupTakesValuesAsTexts(t *testing.T) {
	b := start(t)
	for _, name := range []string{"o'brien", `back\slash`, `\`, `\'`, "' OR Username != '", "%", "søren", "日本"} {
		attributes := ada()
		attributes["FederationIdentifier"], attributes["Username"] = name, strings.NewReplacer(" ", "_").Replace(name)+"@example.com"
		id := b.create(t, attributes)
		if diff := cmp.Diff([]string{id}, b.lookup(t, "FederationIdentifier", name)); diff != "" {
			t.Errorf("%q by FederationIdentifier (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff([]string{id}, b.lookup(t, "Username", strings.ToUpper(attributes.String("Username")))); diff != "" {
			t.Errorf("%q by Username (-want +got):\n%s", name, diff)
		}
	}
	for _, value := range []string{"", "a\x00b", "a\nb", strings.Repeat("x", 1025), "\xff"} {
		_, err := b.target.Lookup(t.Context(), sdk.LookupRequest{Key: "Username", Value: value})
		wantError(t, err, sdk.KindInvalid, sdk.EffectNone, "Username")
	}
	_, err := b.target.Lookup(t.Context(), sdk.LookupRequest{Key: "Title", Value: "x"})
	wantError(t, err, sdk.KindInvalid, sdk.EffectNone, "Title")
}

func TestUpdateChangesWhatIsNamed(t *testing.T) {
	b := start(t, withExternalID)
	attributes := ada()
	attributes["Title"] = "Dr"
	id := b.create(t, attributes)
	_, err := b.target.Update(t.Context(), sdk.UpdateRequest{
		ID: id, Set: sdk.Attributes{"LastName": "King", "Username": "countess@example.com", "FederationIdentifier": "user-9"},
		Clear: []string{"Title", "Phone", "TimeZoneSidKey", "ProfileId"},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantAttributes(t, b.get(t, id), map[string]any{
		"LastName": "King", "FirstName": "Ada", "Username": "countess@example.com", "Title": nil, "TimeZoneSidKey": "GMT", "FederationIdentifier": "user-9",
	})
	if user := b.org.Users()[0]; user[externalID] != "user-9" || user["Name"] != "Ada King" {
		t.Errorf("the org has %v", user)
	}
	for _, name := range []string{"Username", "LastName", "Email", "Alias", "CommunityNickname"} {
		_, err := b.target.Update(t.Context(), sdk.UpdateRequest{ID: id, Clear: []string{name}})
		wantError(t, err, sdk.KindInvalid, sdk.EffectNone, name)
	}
	for _, bad := range []sdk.Attributes{{"Title": 7}, {"Nothing": "x"}, {"Title": "\xff"}} {
		_, err := b.target.Update(t.Context(), sdk.UpdateRequest{ID: id, Set: bad})
		for name := range bad {
			wantError(t, err, sdk.KindInvalid, sdk.EffectNone, name)
		}
	}
}

// TestProfileByNameAndID looks the name up once; an id is taken as it is, in
// either form.
func TestProfileByNameAndID(t *testing.T) {
	b := start(t)
	first := b.create(t, ada())
	profile := b.get(t, first).Attributes.String("ProfileId")
	second := ada()
	second["FederationIdentifier"], second["Username"] = "user-2", "second@example.com"
	b.create(t, second)
	if n := b.proxy.Count("GET", "/services/data/v62.0/query"); n != 1 {
		t.Errorf("%d queries, want one for the profile", n)
	}
	for _, form := range []string{profile, profile[:15]} {
		cfg := config(t, b.proxy.URL)
		cfg.Profile = form
		by := bench{b.org, b.proxy, open(t, cfg)}
		third := ada()
		third["FederationIdentifier"], third["Username"] = "user-"+form, form+"@example.com"
		third["ProfileId"] = form
		if got := by.get(t, by.create(t, third)).Attributes.String("ProfileId"); got != profile {
			t.Errorf("profile %q, want %q", got, profile)
		}
	}
	cfg := config(t, b.proxy.URL)
	cfg.Profile = "No such' profile"
	_, err := open(t, cfg).Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
	wantError(t, err, sdk.KindInvalid, sdk.EffectNone, "profile")
}

func TestIDs(t *testing.T) {
	b := start(t)
	id := b.create(t, ada())
	if short := b.get(t, id[:15]); short.ID != id {
		t.Errorf("id %q, want %q", short.ID, id)
	}
	for _, odd := range []string{"", ".", "..", "../Profile/x", "005%2f", strings.Repeat("0", 16), id + "x"} {
		before := len(b.proxy.Requests())
		_, err := b.target.Get(t.Context(), sdk.GetRequest{ID: odd})
		wantError(t, err, sdk.KindNotFound, sdk.EffectNone, "")
		_, err = b.target.SetActive(t.Context(), sdk.SetActiveRequest{ID: odd})
		wantError(t, err, sdk.KindNotFound, sdk.EffectNone, "")
		if len(b.proxy.Requests()) != before {
			t.Errorf("the id %q was asked for", odd)
		}
	}
}

func TestSuspendAndLicences(t *testing.T) {
	b := start(t, func(o *fake.Options, _ *salesforce.Config) { o.Licences = 1 })
	id := b.create(t, ada())
	second := ada()
	second["FederationIdentifier"], second["Username"] = "user-2", "second@example.com"
	_, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: second, Active: true})
	wantError(t, err, sdk.KindQuota, sdk.EffectNone, "")
	for range 2 {
		if _, err := b.target.SetActive(t.Context(), sdk.SetActiveRequest{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if a := b.get(t, id); a.Active == nil || *a.Active {
		t.Error("the account is not suspended")
	}
	b.create(t, second)
	_, err = b.target.SetActive(t.Context(), sdk.SetActiveRequest{ID: id, Active: true})
	wantError(t, err, sdk.KindQuota, sdk.EffectNone, "")
}

func TestConflicts(t *testing.T) {
	b := start(t)
	b.create(t, ada())
	b.org.Take("elsewhere@example.com")
	for field, change := range map[string]sdk.Attributes{
		"Username":             {"FederationIdentifier": "user-2", "Username": "ADA@example.com"},
		"FederationIdentifier": {"Username": "other@example.com", "CommunityNickname": "other"},
	} {
		attributes := ada()
		for name, value := range change {
			attributes[name] = value
		}
		_, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
		wantError(t, err, sdk.KindConflict, sdk.EffectNone, field)
	}
	elsewhere := ada()
	elsewhere["FederationIdentifier"], elsewhere["Username"] = "user-3", "elsewhere@example.com"
	_, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: elsewhere, Active: true})
	wantError(t, err, sdk.KindConflict, sdk.EffectNone, "Username")
	if found := b.lookup(t, "Username", "elsewhere@example.com"); found != nil {
		t.Errorf("found %v in another org", found)
	}
}

// TestUpsert creates by an external id: the same create again makes no second
// account, also when its answer was lost.
func TestUpsert(t *testing.T) {
	for name, silent := range map[string]bool{"with an answer": false, "without a body": true} {
		t.Run(name, func(t *testing.T) {
			b := start(t, withExternalID, func(o *fake.Options, _ *salesforce.Config) { o.SilentUpserts = silent })
			attributes := ada()
			attributes["FederationIdentifier"] = "user/1 ?#%"
			id := b.create(t, attributes)
			_, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
			wantError(t, err, sdk.KindConflict, sdk.EffectApplied, "FederationIdentifier")
			if diff := cmp.Diff([]string{id}, b.lookup(t, "FederationIdentifier", "user/1 ?#%")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			b.proxy.ScriptMatching(func(r faultproxy.Request) bool { return r.Method == "PATCH" }, faultproxy.DropReply())
			_, err = b.target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
			wantError(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown, "")
			if users := b.org.Users(); len(users) != 1 || users[0][externalID] != "user/1 ?#%" {
				t.Errorf("the org has %v", users)
			}
			if n := b.proxy.Count("POST", "/services/data/v62.0/sobjects/User"); n != 0 {
				t.Errorf("%d creates past the external id", n)
			}
		})
	}
}

// TestExternalIDSaysWhoseAccountItIs has the custom field and
// FederationIdentifier differ.
func TestExternalIDSaysWhoseAccountItIs(t *testing.T) {
	b := start(t, withExternalID)
	ours := b.org.Add(fake.Row{externalID: "user-1", "FederationIdentifier": "somebody@idp"})
	unclaimed := b.org.Add(fake.Row{"FederationIdentifier": nil})
	old := b.org.Add(fake.Row{"FederationIdentifier": "user-2"})
	for id, owner := range map[string]any{ours: "user-1", unclaimed: nil, old: "user-2"} {
		wantAttributes(t, b.get(t, id), map[string]any{"FederationIdentifier": owner})
	}
	if diff := cmp.Diff([]string{ours}, b.lookup(t, "FederationIdentifier", "user-1")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{old}, b.lookup(t, "FederationIdentifier", "user-2")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.org.Add(fake.Row{externalID: "USER-1"})
	_, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
	wantError(t, err, sdk.KindAmbiguous, sdk.EffectNone, "external_id_field")
}

// TestListReadsEveryPage has pages of two.
func TestListReadsEveryPage(t *testing.T) {
	b := start(t, func(o *fake.Options, _ *salesforce.Config) { o.PageSize = 2 })
	var want, got []string
	for range 5 {
		want = append(want, b.org.Add(fake.Row{}))
	}
	for a, err := range b.target.List(t.Context(), sdk.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFederationIdentifierIsLeft to single sign-on: it is neither written nor
// taken for anybody's claim.
func TestFederationIdentifierIsLeft(t *testing.T) {
	b := start(t, withExternalID, func(_ *fake.Options, c *salesforce.Config) { c.FederationID = "leave" })
	id := b.create(t, ada())
	b.org.Change(id, fake.Row{"FederationIdentifier": "user-2"})
	unclaimed := b.org.Add(fake.Row{"FederationIdentifier": "user-3"})
	wantAttributes(t, b.get(t, id), map[string]any{"FederationIdentifier": "user-1"})
	wantAttributes(t, b.get(t, unclaimed), map[string]any{"FederationIdentifier": nil})
	for value, want := range map[string][]string{"user-1": {id}, "user-2": nil, "user-3": nil} {
		if diff := cmp.Diff(want, b.lookup(t, "FederationIdentifier", value)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", value, diff)
		}
	}
	if _, err := b.target.Update(t.Context(), sdk.UpdateRequest{ID: unclaimed, Set: sdk.Attributes{"FederationIdentifier": "user-4"}}); err != nil {
		t.Fatal(err)
	}
	var got [][2]any
	for _, user := range b.org.Users() {
		got = append(got, [2]any{user["FederationIdentifier"], user[externalID]})
	}
	if diff := cmp.Diff([][2]any{{"user-2", "user-1"}, {"user-3", "user-4"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
