//! Databases as people have them: two of the public samples' kind, and what Django, SQLAlchemy and Rails make.

use std::fmt::Write as _;

use crate::theme::Theme;

/// Numbers that look like chance and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn date(&mut self) -> String {
        format!(
            "{:04}-{:02}-{:02}",
            1990 + self.below(35),
            1 + self.below(12),
            1 + self.below(28)
        )
    }

    fn price(&mut self) -> String {
        format!("{}.{:02}", self.below(100), self.below(100))
    }

    fn word(&mut self) -> &'static str {
        const WORDS: [&str; 10] = [
            "Órla",
            "d''Arc",
            "São Paulo",
            "König",
            "AC/DC",
            "Ño",
            "O\"Neil",
            "Þór",
            "100%",
            "C:\\music",
        ];
        WORDS[usize::try_from(self.below(10)).unwrap()]
    }
}

/// `count` rows of a table, each made by `row`.
fn insert(sql: &mut String, table: &str, count: u64, mut row: impl FnMut(u64) -> String) {
    for number in 1..=count {
        write!(sql, "INSERT INTO {table} VALUES ({});", row(number)).unwrap();
    }
}

#[tokio::test]
async fn a_music_shop() {
    let mut sql = "BEGIN;
        CREATE TABLE [Artist] ([ArtistId] INTEGER NOT NULL, [Name] NVARCHAR(120), CONSTRAINT [PK_Artist] PRIMARY KEY ([ArtistId]));
        CREATE TABLE [Album] ([AlbumId] INTEGER NOT NULL, [Title] NVARCHAR(160) NOT NULL, [ArtistId] INTEGER NOT NULL, CONSTRAINT [PK_Album] PRIMARY KEY ([AlbumId]),
            FOREIGN KEY ([ArtistId]) REFERENCES [Artist] ([ArtistId]) ON DELETE NO ACTION ON UPDATE NO ACTION);
        CREATE TABLE [Employee] ([EmployeeId] INTEGER NOT NULL, [LastName] NVARCHAR(20) NOT NULL, [ReportsTo] INTEGER, [BirthDate] DATETIME, [HireDate] DATETIME,
            CONSTRAINT [PK_Employee] PRIMARY KEY ([EmployeeId]), FOREIGN KEY ([ReportsTo]) REFERENCES [Employee] ([EmployeeId]) ON DELETE NO ACTION ON UPDATE NO ACTION);
        CREATE TABLE [Customer] ([CustomerId] INTEGER NOT NULL, [FirstName] NVARCHAR(40) NOT NULL, [Company] NVARCHAR(80), [Email] NVARCHAR(60) NOT NULL, [SupportRepId] INTEGER,
            CONSTRAINT [PK_Customer] PRIMARY KEY ([CustomerId]), FOREIGN KEY ([SupportRepId]) REFERENCES [Employee] ([EmployeeId]) ON DELETE NO ACTION ON UPDATE NO ACTION);
        CREATE TABLE [MediaType] ([MediaTypeId] INTEGER NOT NULL, [Name] NVARCHAR(120), CONSTRAINT [PK_MediaType] PRIMARY KEY ([MediaTypeId]));
        CREATE TABLE [Track] ([TrackId] INTEGER NOT NULL, [Name] NVARCHAR(200) NOT NULL, [AlbumId] INTEGER, [MediaTypeId] INTEGER NOT NULL, [Composer] NVARCHAR(220),
            [Milliseconds] INTEGER NOT NULL, [Bytes] INTEGER, [UnitPrice] NUMERIC(10,2) NOT NULL, CONSTRAINT [PK_Track] PRIMARY KEY ([TrackId]),
            FOREIGN KEY ([AlbumId]) REFERENCES [Album] ([AlbumId]) ON DELETE NO ACTION ON UPDATE NO ACTION,
            FOREIGN KEY ([MediaTypeId]) REFERENCES [MediaType] ([MediaTypeId]) ON DELETE NO ACTION ON UPDATE NO ACTION);
        CREATE TABLE [Playlist] ([PlaylistId] INTEGER NOT NULL, [Name] NVARCHAR(120), CONSTRAINT [PK_Playlist] PRIMARY KEY ([PlaylistId]));
        CREATE TABLE [PlaylistTrack] ([PlaylistId] INTEGER NOT NULL, [TrackId] INTEGER NOT NULL, CONSTRAINT [PK_PlaylistTrack] PRIMARY KEY ([PlaylistId], [TrackId]),
            FOREIGN KEY ([PlaylistId]) REFERENCES [Playlist] ([PlaylistId]) ON DELETE NO ACTION ON UPDATE NO ACTION,
            FOREIGN KEY ([TrackId]) REFERENCES [Track] ([TrackId]) ON DELETE NO ACTION ON UPDATE NO ACTION);
        CREATE TABLE [Invoice] ([InvoiceId] INTEGER NOT NULL, [CustomerId] INTEGER NOT NULL, [InvoiceDate] DATETIME NOT NULL, [Total] NUMERIC(10,2) NOT NULL,
            CONSTRAINT [PK_Invoice] PRIMARY KEY ([InvoiceId]), FOREIGN KEY ([CustomerId]) REFERENCES [Customer] ([CustomerId]) ON DELETE NO ACTION ON UPDATE NO ACTION);
        CREATE UNIQUE INDEX [IPK_Artist] ON [Artist] ([ArtistId]); CREATE INDEX [IFK_AlbumArtistId] ON [Album] ([ArtistId]);
        CREATE INDEX [IFK_TrackAlbumId] ON [Track] ([AlbumId]); CREATE INDEX [IFK_InvoiceCustomerId] ON [Invoice] ([CustomerId]);"
        .to_owned();
    let mut n = Numbers(7);
    insert(&mut sql, "Artist", 60, |id| format!("{id}, '{} {id}'", n.word()));
    insert(&mut sql, "Album", 120, |id| {
        format!("{id}, '{} vol. {id}', {}", n.word(), 1 + n.below(60))
    });
    insert(&mut sql, "Employee", 8, |id| {
        let boss = if id == 1 {
            "NULL".to_owned()
        } else {
            (1 + n.below(id - 1)).to_string()
        };
        format!(
            "{id}, '{}', {boss}, '{} 00:00:00', '{} 00:00:00'",
            n.word(),
            n.date(),
            n.date()
        )
    });
    insert(&mut sql, "Customer", 59, |id| {
        format!(
            "{id}, '{}', NULL, 'c{id}@example.org', {}",
            n.word(),
            1 + n.below(8)
        )
    });
    insert(&mut sql, "MediaType", 5, |id| format!("{id}, 'type {id}'"));
    insert(&mut sql, "Track", 800, |id| {
        let composer = if n.below(3) == 0 {
            "NULL".to_owned()
        } else {
            format!("'{}'", n.word())
        };
        format!(
            "{id}, '{} {id}', {}, {}, {composer}, {}, {}, 0.99",
            n.word(),
            1 + n.below(120),
            1 + n.below(5),
            n.below(400_000),
            n.below(9_000_000_000)
        )
    });
    insert(&mut sql, "Playlist", 18, |id| format!("{id}, '{}'", n.word()));
    insert(&mut sql, "PlaylistTrack", 800, |id| {
        format!("{}, {id}", 1 + n.below(18))
    });
    insert(&mut sql, "Invoice", 400, |id| {
        format!(
            "{id}, {}, '{} 00:00:00', {}",
            1 + n.below(59),
            n.date(),
            n.price()
        )
    });
    sql.push_str("COMMIT;");
    let copied = Theme::new(&sql).equal().await;
    copied
        .lists_nothing()
        .is_one_of("Track", "UnitPrice", &["double precision", "numeric"]);
    copied
        .is("Invoice", "InvoiceDate", "timestamp without time zone")
        .is("Track", "Bytes", "bigint");
    copied
        .behaves(&[
            r#"INSERT INTO "Artist" ("Name") VALUES ('new') RETURNING "ArtistId""#,
            r#"INSERT INTO "Album" ("Title", "ArtistId") VALUES ('new', 61) RETURNING "AlbumId""#,
            r#"INSERT INTO "Album" ("Title", "ArtistId") VALUES ('new', 6100)"#,
            r#"INSERT INTO "Album" ("ArtistId") VALUES (1)"#,
            r#"INSERT INTO "PlaylistTrack" VALUES (1, 1), (1, 1)"#,
            r#"DELETE FROM "Artist" WHERE "ArtistId" <= 60"#,
            r#"SELECT count(*), count("Composer"), sum("Bytes") FROM "Track""#,
        ])
        .await;
    copied.comes_back().await;
}

#[tokio::test]
async fn a_trader() {
    let mut sql = "BEGIN;
        CREATE TABLE [Categories] ([CategoryID] INTEGER PRIMARY KEY AUTOINCREMENT, [CategoryName] TEXT, [Description] TEXT, [Picture] BLOB);
        CREATE TABLE [Customers] ([CustomerID] TEXT, [CompanyName] TEXT, [Region] TEXT, PRIMARY KEY (`CustomerID`));
        CREATE TABLE [Employees] ([EmployeeID] INTEGER PRIMARY KEY AUTOINCREMENT, [LastName] TEXT, [BirthDate] DATE, [HireDate] DATE, [Photo] BLOB, [ReportsTo] INTEGER,
            FOREIGN KEY ([ReportsTo]) REFERENCES [Employees] ([EmployeeID]) ON DELETE NO ACTION ON UPDATE NO ACTION);
        CREATE TABLE [Orders] ([OrderID] INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, [CustomerID] TEXT, [EmployeeID] INTEGER, [OrderDate] DATETIME, [RequiredDate] DATETIME,
            [ShippedDate] DATETIME, [Freight] NUMERIC DEFAULT 0, [ShipName] TEXT,
            FOREIGN KEY ([EmployeeID]) REFERENCES [Employees] ([EmployeeID]), FOREIGN KEY ([CustomerID]) REFERENCES [Customers] ([CustomerID]));
        CREATE TABLE [Products] ([ProductID] INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, [ProductName] TEXT NOT NULL, [CategoryID] INTEGER, [UnitPrice] NUMERIC DEFAULT 0,
            [UnitsInStock] INTEGER DEFAULT 0, [Discontinued] TEXT NOT NULL DEFAULT '0', CHECK ([UnitPrice]>=(0)), CHECK ([UnitsInStock]>=(0)),
            FOREIGN KEY ([CategoryID]) REFERENCES [Categories] ([CategoryID]));
        CREATE TABLE [Order Details] ([OrderID] INTEGER NOT NULL, [ProductID] INTEGER NOT NULL, [UnitPrice] NUMERIC NOT NULL DEFAULT 0, [Quantity] INTEGER NOT NULL DEFAULT 1,
            [Discount] REAL NOT NULL DEFAULT 0, PRIMARY KEY (\"OrderID\", \"ProductID\"), CHECK ([Discount]>=(0) AND [Discount]<=(1)), CHECK ([Quantity]>(0)), CHECK ([UnitPrice]>=(0)),
            FOREIGN KEY ([OrderID]) REFERENCES [Orders] ([OrderID]), FOREIGN KEY ([ProductID]) REFERENCES [Products] ([ProductID]));
        CREATE VIEW [Order Subtotals] AS SELECT OrderID, SUM(UnitPrice * Quantity * (1 - Discount)) AS Subtotal FROM [Order Details] GROUP BY OrderID;
        CREATE VIEW [Current Products] AS SELECT ProductID, ProductName FROM Products WHERE Discontinued = '0';"
        .to_owned();
    let mut n = Numbers(11);
    insert(&mut sql, "Categories", 8, |id| {
        format!("{id}, 'category {id}', '{}', x'ffd8ff{id:02x}'", n.word())
    });
    insert(&mut sql, "Customers", 90, |id| {
        format!(
            "'CUST{id}', '{}', {}",
            n.word(),
            if id % 3 == 0 { "NULL" } else { "''" }
        )
    });
    insert(&mut sql, "Employees", 9, |id| {
        format!(
            "{id}, '{}', '{}', '{}', x'0{id}', {}",
            n.word(),
            n.date(),
            n.date(),
            if id == 2 { "NULL" } else { "2" }
        )
    });
    insert(&mut sql, "Orders", 500, |id| {
        let shipped = if n.below(5) == 0 {
            "NULL".to_owned()
        } else {
            format!("'{} 09:30:00'", n.date())
        };
        format!(
            "{}, 'CUST{}', {}, '{}', '{}', {shipped}, {}, '{}'",
            10_247 + id,
            1 + n.below(90),
            1 + n.below(9),
            n.date(),
            n.date(),
            n.price(),
            n.word()
        )
    });
    insert(&mut sql, "Products", 77, |id| {
        format!(
            "{id}, '{} {id}', {}, {}, {}, '{}'",
            n.word(),
            1 + n.below(8),
            n.price(),
            n.below(100),
            n.below(2)
        )
    });
    insert(&mut sql, "[Order Details]", 1000, |id| {
        format!(
            "{}, {}, {}, {}, 0.{}",
            10_248 + id / 2 % 500,
            1 + id % 77,
            n.price(),
            1 + n.below(50),
            n.below(3) * 5
        )
    });
    sql.push_str("DELETE FROM Orders WHERE OrderID = 10747 AND NOT EXISTS (SELECT 1 FROM [Order Details] AS d WHERE d.OrderID = 10747); COMMIT;");
    let copied = Theme::new(&sql).equal().await;
    copied
        .is("Employees", "BirthDate", "date")
        .is("Categories", "Picture", "bytea");
    copied
        .behaves(&[
            r#"INSERT INTO "Orders" ("CustomerID") VALUES ('CUST1') RETURNING "OrderID", "Freight""#,
            r#"INSERT INTO "Orders" ("CustomerID") VALUES ('nobody')"#,
            r#"INSERT INTO "Products" ("ProductName", "UnitPrice") VALUES ('x', -1)"#,
            r#"INSERT INTO "Products" ("ProductName") VALUES ('x') RETURNING "ProductID", "UnitPrice", "UnitsInStock", "Discontinued""#,
            r#"INSERT INTO "Order Details" ("OrderID", "ProductID", "Discount") VALUES (10248, 78, 1.5)"#,
            r#"INSERT INTO "Order Details" ("OrderID", "ProductID") VALUES (10248, 78) RETURNING "UnitPrice", "Quantity""#,
            r#"INSERT INTO "Order Details" ("OrderID", "ProductID") VALUES (10248, 78)"#,
        ])
        .await;
    copied.comes_back().await;
    for (view, sql) in [
        ("Order Subtotals", r#"SELECT count(*) FROM "Order Subtotals""#),
        ("Current Products", r#"SELECT count(*) FROM "Current Products""#),
    ] {
        if !copied.is_listed(&[view]) {
            copied.behaves(&[sql]).await;
        }
    }
}

#[tokio::test]
async fn what_django_makes() {
    let theme = Theme::new(
        r#"CREATE TABLE "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL);
        CREATE TABLE "auth_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL,
            "username" varchar(150) NOT NULL UNIQUE, "date_joined" datetime NOT NULL);
        CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(150) NOT NULL UNIQUE);
        CREATE TABLE "auth_user_groups" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED,
            "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL);
        CREATE TABLE "shop_item" ("id" char(32) NOT NULL PRIMARY KEY, "price" decimal NOT NULL, "stock" integer unsigned NOT NULL CHECK ("stock" >= 0),
            "meta" text NOT NULL CHECK ((JSON_VALID("meta") OR "meta" IS NULL)), "day" date NULL, "opens" time NULL, "lasts" bigint NULL, "address" char(39) NULL,
            "small" smallint unsigned NULL CHECK ("small" >= 0), "score" real NULL, "data" BLOB NULL, "owner_id" integer NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED,
            CONSTRAINT "cheap" CHECK ("price" < 1000));
        CREATE UNIQUE INDEX "auth_user_groups_user_id_group_id_94350c0c_uniq" ON "auth_user_groups" ("user_id", "group_id");
        CREATE INDEX "auth_user_groups_user_id_6a12ed8b" ON "auth_user_groups" ("user_id"); CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date");
        CREATE UNIQUE INDEX "one_per_owner" ON "shop_item" ("owner_id") WHERE "stock" > 0;
        INSERT INTO django_migrations VALUES (1, 'auth', '0001_initial', '2024-01-31 10:20:30.123456'), (2, 'auth', '0002', '2024-01-31 10:20:30');
        INSERT INTO auth_user VALUES (1, 'pbkdf2_sha256$1$a$b=', NULL, 1, 'admin', '2024-01-31 10:20:30.000001'), (3, '!', '2024-02-01 00:00:00', 0, 'Ünal', '2024-01-31 10:20:31');
        INSERT INTO auth_group VALUES (1, 'staff'); INSERT INTO auth_user_groups VALUES (1, 1, 1), (2, 3, 1);
        INSERT INTO django_session VALUES ('abc', 'e30:1x', '2024-02-14 10:20:30.5');
        INSERT INTO shop_item VALUES ('123e4567e89b12d3a456426614174000', '9.90', 5, '{"b": 1, "a": [1, 2]}', '2024-01-31', '10:20:30', 3600000000, '127.0.0.1', 7, 0.5, x'00', 1),
            ('123e4567e89b12d3a456426614174001', 10, 0, 'null', NULL, '23:59:59.5', NULL, '::1', NULL, 1, NULL, 1);"#,
    );
    let copied = theme.equal().await;
    copied
        .is("auth_user", "is_superuser", "boolean")
        .is("shop_item", "stock", "bigint")
        .is("shop_item", "day", "date");
    copied
        .behaves(&[
            r"INSERT INTO auth_user (password, is_superuser, username, date_joined) VALUES ('', '0', 'new', '2024-01-31 10:20:30') RETURNING id",
            r"INSERT INTO auth_user (password, is_superuser, username, date_joined) VALUES ('', '0', 'admin', '2024-01-31 10:20:30')",
            r"INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1)",
            r"INSERT INTO auth_user_groups (user_id, group_id) VALUES (99, 1)",
            r"INSERT INTO shop_item (id, price, stock, meta) VALUES ('x', 1, -1, '{}')",
            r"INSERT INTO shop_item (id, price, stock, meta) VALUES ('x', 1000, 1, '{}')",
            r"INSERT INTO shop_item (id, price, stock, meta, owner_id) VALUES ('x', 1, 1, '{}', 1)",
            r"INSERT INTO shop_item (id, price, stock, meta, owner_id) VALUES ('x', 1, 0, '{}', 1)",
            r"INSERT INTO shop_item (id, price, stock, meta, owner_id) VALUES ('y', 1, 1, '{}', 3)",
        ])
        .await;
    copied.comes_back().await;
}

#[tokio::test]
async fn what_sqlalchemy_makes() {
    let theme = Theme::new(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
         CREATE TABLE users (id VARCHAR(36) NOT NULL, email VARCHAR(255) NOT NULL, is_active BOOLEAN DEFAULT '1' NOT NULL, is_admin BOOLEAN NOT NULL, created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
             settings JSON, role VARCHAR(7) DEFAULT 'reader' NOT NULL, balance NUMERIC(12, 4), birthday DATE, picture BLOB, PRIMARY KEY (id), CONSTRAINT uq_email UNIQUE (email),
             CHECK (is_active IN (0, 1)), CONSTRAINT admin_is_bool CHECK (is_admin IN (0, 1)), CONSTRAINT role_names CHECK (role IN ('reader', 'writer')));
         CREATE TABLE posts (id INTEGER NOT NULL, user_id VARCHAR(36), title TEXT, tags JSON, score FLOAT, published DATETIME, PRIMARY KEY (id),
             CONSTRAINT fk_posts_user FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE);
         CREATE TABLE follows (follower VARCHAR(36) NOT NULL, followed VARCHAR(36) NOT NULL, since TIMESTAMP, PRIMARY KEY (follower, followed), FOREIGN KEY(follower) REFERENCES users (id),
             FOREIGN KEY(followed) REFERENCES users (id));
         CREATE INDEX ix_posts_user_id ON posts (user_id); CREATE INDEX ix_users_email_lower ON users (lower(email));
         INSERT INTO alembic_version VALUES ('ae1027a6acf');
         INSERT INTO users VALUES ('123e4567-e89b-12d3-a456-426614174000', 'a@b', 1, 0, '2024-01-31 10:20:30.123456', '{\"theme\": \"dark\"}', 'writer', 12.5, '2000-02-29', x'89'),
             ('123e4567-e89b-12d3-a456-426614174001', 'c@d', 0, 1, '2024-01-31 10:20:30.000000', 'null', 'reader', NULL, NULL, NULL);
         INSERT INTO posts VALUES (1, '123e4567-e89b-12d3-a456-426614174000', 'T', '[]', 0.1, '2024-01-31 10:20:30.000000'), (2, NULL, NULL, NULL, NULL, NULL);
         INSERT INTO follows VALUES ('123e4567-e89b-12d3-a456-426614174000', '123e4567-e89b-12d3-a456-426614174001', '2024-01-31 10:20:30.000000');",
    );
    let copied = theme.equal().await;
    copied
        .is("users", "is_active", "boolean")
        .is("users", "is_admin", "boolean")
        .is_one_of("users", "settings", &["json", "jsonb"]);
    copied.is_one_of("users", "id", &["uuid", "text"]);
    assert_eq!(
        copied.type_of("users", "id"),
        copied.type_of("posts", "user_id"),
        "a foreign key needs one type at both ends"
    );
    let id = "'123e4567-e89b-12d3-a456-426614174000'";
    copied
        .behaves(&[
            &format!("INSERT INTO posts (user_id, title) VALUES ({id}, 'x') RETURNING id"),
            "INSERT INTO posts (user_id) VALUES ('00000000-0000-0000-0000-000000000000')",
            "INSERT INTO users (id, email, is_admin) VALUES ('123e4567-e89b-12d3-a456-426614174009', 'a@b', '0')",
            "INSERT INTO users (id, email, is_admin, role) VALUES ('123e4567-e89b-12d3-a456-426614174009', 'x@y', '0', 'boss')",
            "INSERT INTO users (id, email, is_admin) VALUES ('123e4567-e89b-12d3-a456-426614174009', 'x@y', '0') RETURNING CAST(is_active AS integer), role",
            "INSERT INTO users (id, email, is_admin) VALUES ('123e4567-e89b-12d3-a456-42661417400a', 'z@y', NULL)",
            "DELETE FROM follows",
            &format!("DELETE FROM users WHERE id = {id}"),
            "SELECT count(*) FROM posts",
        ])
        .await;
    // SQLAlchemy writes microseconds, and CURRENT_TIMESTAMP has none: the row with that default comes back as all others.
    copied.lists(&["users", "created_at", "CURRENT_TIMESTAMP"]);
}

#[tokio::test]
async fn what_rails_makes() {
    let theme = Theme::new(
        r#"CREATE TABLE "schema_migrations" ("version" varchar NOT NULL PRIMARY KEY);
        CREATE TABLE "ar_internal_metadata" ("key" varchar NOT NULL PRIMARY KEY, "value" varchar, "created_at" datetime(6) NOT NULL, "updated_at" datetime(6) NOT NULL);
        CREATE TABLE "accounts" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "name" varchar DEFAULT '' NOT NULL, "admin" boolean DEFAULT 0 NOT NULL, "beta" boolean DEFAULT TRUE,
            "credit" decimal(10,2) DEFAULT 0.0, "visits" integer DEFAULT 0 NOT NULL, "options" json DEFAULT '{}', "created_at" datetime(6) NOT NULL, "born_on" date, "type" varchar,
            "code" varchar(12) COLLATE NOCASE, "blob" blob, "big" bigint, "ratio" float, "wake" time);
        CREATE TABLE "posts" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "account_id" integer NOT NULL, "parent_type" varchar, "parent_id" integer, "body" text,
            "created_at" datetime(6) NOT NULL, CONSTRAINT "fk_rails_5b5ddfd518" FOREIGN KEY ("account_id") REFERENCES "accounts" ("id") ON DELETE CASCADE);
        CREATE TABLE "accounts_tags" ("account_id" integer NOT NULL, "tag_id" integer NOT NULL);
        CREATE INDEX "index_posts_on_account_id" ON "posts" ("account_id"); CREATE INDEX "index_posts_on_parent" ON "posts" ("parent_type", "parent_id");
        CREATE UNIQUE INDEX "index_accounts_on_name" ON "accounts" ("name") WHERE type IS NULL; CREATE UNIQUE INDEX "index_accounts_on_lower_code" ON "accounts" (lower(code));
        CREATE UNIQUE INDEX "index_accounts_tags_on_account_id_and_tag_id" ON "accounts_tags" ("account_id", "tag_id");
        INSERT INTO schema_migrations VALUES ('20240131102030'), ('20240201000000');
        INSERT INTO ar_internal_metadata VALUES ('environment', 'production', '2024-01-31 10:20:30.123456', '2024-01-31 10:20:30.123456');
        INSERT INTO accounts VALUES (1, 'a', 0, 1, 12.5, 0, '{}', '2024-01-31 10:20:30.123456', '2000-01-01', NULL, 'Abc', x'00', 9007199254740993, 0.1, '2000-01-01 10:20:30'),
            (4, 'b', 1, NULL, 0, 3, '{"a":1}', '2024-01-31 10:20:30.000000', NULL, 'Admin', NULL, NULL, NULL, NULL, NULL), (9, 'b', 1, 0, 7.25, 3, NULL, '2024-01-31 10:20:30.100000', NULL, 'X', 'É', NULL, NULL, NULL, NULL);
        INSERT INTO posts VALUES (2, 1, 'Account', 1, 'text', '2024-01-31 10:20:30.000001'); INSERT INTO accounts_tags VALUES (1, 1), (1, 2);
        DELETE FROM accounts WHERE id = 9;"#,
    );
    let copied = theme.equal().await;
    copied
        .is("accounts", "admin", "boolean")
        .is("accounts", "beta", "boolean")
        .is("accounts", "big", "bigint");
    copied
        .behaves(&[
            "INSERT INTO accounts (created_at) VALUES ('2024-01-31 10:20:30.000000') RETURNING id, name, CAST(admin AS integer), CAST(beta AS integer), visits, CAST(options AS text)",
            "INSERT INTO accounts (name, created_at) VALUES ('a', '2024-01-31 10:20:30.000000')",
            "INSERT INTO accounts (name, type, created_at) VALUES ('a', 'X', '2024-01-31 10:20:30.000000') RETURNING id",
            "INSERT INTO accounts (name, code, created_at) VALUES ('q', 'aBC', '2024-01-31 10:20:30.000000')",
            "INSERT INTO posts (account_id, created_at) VALUES (77, '2024-01-31 10:20:30.000000')",
            "INSERT INTO posts (account_id, created_at) VALUES (4, '2024-01-31 10:20:30.000000') RETURNING id",
            "INSERT INTO accounts_tags VALUES (1, 2)",
            "DELETE FROM accounts WHERE id = 1",
            "SELECT count(*) FROM posts",
        ])
        .await;
    copied.comes_back().await;
}
