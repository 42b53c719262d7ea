package store_test

import (
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// rowsOf is what a database of each version has, as that version wrote it.
var rowsOf = map[int]string{
	1: `INSERT INTO users (id, login, login_norm, email, email_verified, given_name, family_name, name, locale, phone_number, group_names, claims, search, status, home, revision, created_at, updated_at)
			VALUES ('u1', 'Ann', 'ann', 'ann@example.com', 1, 'Ann', 'Example', '', 'en', '', '["staff"]', '{}', 'ann ann@example.com', 'active', 'app', 2, 1700000000000001, 1700000000000002);
		INSERT INTO passwords (user_id, hash, updated_at) VALUES ('u1', '$argon2id$x', 1700000000000003);
		INSERT INTO applications (client_id, name, redirect_uris, type, auth_method, secret_hash, grant_types, scopes, id_token_alg, initiate_login_uri, registration, enabled, revision, created_at, updated_at)
			VALUES ('app', 'App', '["https://app/cb"]', 'web', 'client_secret_basic', 'h', '["authorization_code"]', '["openid"]', 'RS256', '', 1, 1, 5, 1700000000000004, 1700000000000005);
		INSERT INTO sessions (id, user_id, amr, auth_time, used_at, ends_at) VALUES ('s1', 'u1', '["pwd"]', 1700000000000006, 1700000000000007, 1700000000000008)`,
	2: `INSERT INTO oauth_grant (id, client_id, user_id, decision_id, scopes, session_id, auth_time, created_at, expires_at)
			VALUES ('g1', 'app', 'u1', 'd1', 'openid', 's1', 1700000000000009, 1700000000000010, 1700000000000011)`,
	3: `INSERT INTO connector_pin (name, digest, description, pinned_at)
			VALUES ('scim2', 'abc', '{"name":"scim2","version":"1.0.0","display_name":"SCIM"}', 1700000000000012)`,
	4: `UPDATE connector_pin SET egress = '[{"host":"x","port":443}]', pinned_by = 'root' WHERE name = 'scim2'`,
	5: `UPDATE applications SET settings = '{"post_logout_redirect_uris":["https://app/out"]}' WHERE client_id = 'app';
		UPDATE sessions SET sid = 'sid1' WHERE id = 's1'`,
	6:  `INSERT INTO session_application (sid, client_id, user_id) VALUES ('sid1', 'app', 'u1')`,
	22: `INSERT INTO resource_server (identifier, settings) VALUES ('https://api', '{}')`,
	24: `UPDATE device_request SET resources = 'urn:a:b' WHERE hash = 'h1'`,
	7:  `UPDATE sessions SET agent = 'Firefox', address = '192.0.2.1' WHERE id = 's1'`,
	8: `INSERT INTO mail_token (hash, user_id, purpose, email, created_at, expires_at) VALUES ('h1', 'u1', 'verify_email', 'ann@example.com', 1700000000000013, 1700000000000014);
		INSERT INTO mail_request (id, sealed, due_at, attempts, created_at) VALUES ('r1', 'x', 1700000000000015, 1, 1700000000000016)`,
	9:  `UPDATE oauth_grant SET claims = 'userinfo.name' WHERE id = 'g1'`,
	10: `INSERT INTO consent (user_id, client_id, scopes, at) VALUES ('u1', 'app', 'openid', 1700000000000013)`,
	11: `INSERT INTO second_factor (user_id, sealed, last_step, confirmed_at) VALUES ('u1', 'x', 1, 1700000000000017);
		INSERT INTO recovery_code (user_id, hash) VALUES ('u1', 'h1')`,
	12: `INSERT INTO federated_identity (issuer, subject, user_id, created_at) VALUES ('https://up', 's', 'u1', 1700000000000018);
		UPDATE users SET source = 'up' WHERE id = 'u1'`,
	13: `INSERT INTO pushed_request (hash, client_id, form, expires_at, keep_until) VALUES ('h1', 'app', '{}', 1700000000000019, 1700000000000020)`,
	14: `INSERT INTO client_assertion (hash, expires_at) VALUES ('h1', 1700000000000021)`,
	15: `INSERT INTO oauth_refresh (hash, grant_id, decision_id, generation, parent, expires_at, keep_until)
			VALUES ('h1', 'g1', 'd1', 2, 'h0', 1700000000000022, 1700000000000023)`,
	16: `INSERT INTO dpop_proof (hash, expires_at) VALUES ('h1', 1700000000000024)`,
	17: `INSERT INTO device_request (hash, user_code, client_id, scopes, network, poll_interval, status, error, grant_id, decision_id, created_at, expires_at, keep_until)
			VALUES ('h1', 'c1', 'app', 'openid', '192.0.2.0/24', 5000000, 'approved', '', 'g1', 'd1', 1700000000000024, 1700000000000025, 1700000000000026)`,
	18: `INSERT INTO passkey (id, user_id, name, public_key, transports, sign_count, synced, backed_up, created_at, used_at, suspect_at)
			VALUES ('k1', 'u1', 'Phone', 'x', '["internal"]', 7, 1, 1, 1700000000000024, 1700000000000025, 0);
		INSERT INTO passkey_challenge (bound, hash, expires_at) VALUES ('sign_in:x', 'h1', 1700000000000026)`,
	19: `UPDATE applications SET self_registered = 1 WHERE client_id = 'app';
		INSERT INTO registration (client_id, token_hash, initial_token, created_at) VALUES ('app', 'h1', 't1', 1700000000000024);
		INSERT INTO registration_token (id, hash, note, max_uses, created_at, expires_at) VALUES ('t1', 'h1', 'n', 2, 1700000000000025, 1700000000000026)`,
	20: `INSERT INTO sign_ins (id, version, reference, request, browser, status, user_id, auth_time, fresh, session, provision_start, deadline, failure, decision, leaving, created_at, expires_at, ended_at, identity)
			VALUES ('i1', 1, 'R', '{}', 'b', 'open', '', 0, 0, '', 0, 0, '{}', '', 0, 1700000000000025, 1700000000000026, 0, 'x')`,
	21: `INSERT INTO pairwise_subject (sector, user_id, subject, created_at) VALUES ('app.example', 'u1', 's1', 1700000000000024)`,
	23: `INSERT INTO audit_event (id, at, actor_kind, actor, action, object_kind, object_id, object_name, changes, reference)
			VALUES ('e1', 1700000000000027, 'command', 'root@x', 'user.delete', 'user', 'u1', 'Ann', '[]', 'R')`,
	25: `INSERT INTO session_upstream (sid, upstream, id_token) VALUES ('sid1', 'up', 'x');
		INSERT INTO upstream_departure (id, browser, return_to, expires_at) VALUES ('d1', 'b', '', 1700000000000027)`,
	26: `INSERT INTO administrator (user_id, role, granted_at) VALUES ('u1', 'admin', 1700000000000028)`,
}

// What an earlier version stored is there after an update, and means the same.
func TestMigrateFromEveryVersion(t *testing.T) {
	sqldbtest.FromEveryVersion(t, store.Migrations(), rowsOf, func(t *testing.T, db *sqldb.DB, from int) {
		if from == 0 {
			if n := rows(t, db, "users"); n != 0 {
				t.Errorf("a new database has %d users", n)
			}
			return
		}
		u, err := store.Users{DB: db}.Get(t.Context(), "u1")
		if err != nil || u.Login != "Ann" || !u.Active() || len(u.Groups) != 1 || u.Home != "app" || (u.Source == "up") != (from >= 12) || !u.UpdatedAt.Equal(time.UnixMicro(1700000000000002)) {
			t.Errorf("user = %+v, %v", u, err)
		}
		if n := rows(t, db, "resource_server"); (n == 1) != (from >= 22) {
			t.Errorf("%d resource servers from version %d", n, from)
		}
		s, err := store.Sessions{DB: db}.Get(t.Context(), "s1")
		if err != nil || s.User != "u1" || (s.Agent == "Firefox") != (from >= 7) {
			t.Errorf("session = %+v, %v", s, err)
		}
		a, err := store.Applications{DB: db, Now: time.Now}.Get(t.Context(), "app")
		if err != nil || !a.Registration || !a.Enabled || a.Revision != 5 || len(a.RedirectURIs) != 1 || (len(a.PostLogoutRedirectURIs) == 1) != (from >= 5) || a.SelfRegistered != (from >= 19) {
			t.Errorf("application = %+v, %v", a, err)
		}
		for table, since := range map[string]int{"passwords": 1, "sessions": 1, "oauth_grant": 2, "connector_pin": 3, "connector_pin_event": 3, "session_application": 6, "mail_token": 8, "mail_request": 8, "consent": 10, "federated_identity": 12, "second_factor": 11, "recovery_code": 11, "pushed_request": 13, "client_assertion": 14, "oauth_refresh": 15, "dpop_proof": 16, "device_request": 17, "passkey": 18, "passkey_challenge": 18, "registration": 19, "registration_token": 19, "sign_ins": 20, "pairwise_subject": 21, "audit_event": 23, "session_upstream": 25, "administrator": 26} {
			if n := rows(t, db, table); (n == 1) != (from >= since) {
				t.Errorf("%d rows of %s from version %d", n, table, from)
			}
		}
		if from < 3 {
			return
		}
		pin, err := store.Pins{DB: db}.Pin(t.Context(), "scim2")
		if err != nil || pin.Digest != "abc" || pin.Description.Version != "1.0.0" {
			t.Errorf("pin = %+v, %v", pin, err)
		}
	})
}

func rows(t *testing.T, db *sqldb.DB, table string) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
