-- +goose Up
-- What the applications of a sector know a user by. A subject is nobody else's in
-- any sector.
CREATE TABLE pairwise_subject (
    sector     TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    subject    TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (sector, user_id)
) {{WITHOUT ROWID}};
CREATE INDEX pairwise_subject_user_id ON pairwise_subject (user_id);

-- The sub of the grant's tokens; '' stands for user_id, in what an earlier version
-- wrote.
ALTER TABLE oauth_grant ADD COLUMN subject TEXT NOT NULL DEFAULT '';
-- What the application knows the session by; '' stands for sid. From now on user_id
-- here and in logout_notice is what it knows the user by.
ALTER TABLE session_application ADD COLUMN alias_sid TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE session_application DROP COLUMN alias_sid;
ALTER TABLE oauth_grant DROP COLUMN subject;
DROP INDEX pairwise_subject_user_id;
DROP TABLE pairwise_subject;
