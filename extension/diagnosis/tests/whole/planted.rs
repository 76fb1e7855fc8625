//! Secrets of the usual shapes, made up anew each time, and the places where functions log them.
//!
//! Shared with the tests of the whole extension.

/// The same numbers for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit
    }

    pub(crate) fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn text(&mut self, alphabet: &str, length: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| letters[self.below(letters.len())]).collect()
    }
}

/// A secret as it stands in a text, and the parts of it that nobody may ever see.
pub(crate) struct Secret {
    pub(crate) text: String,
    pub(crate) parts: Vec<String>,
}

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER_DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const HEX: &str = "0123456789abcdef";
/// No other number in a line is of these alone.
const ODD_DIGITS: &str = "789";

/// How many shapes there are.
pub(crate) const SHAPES: usize = 36;

/// A new secret of a shape.
pub(crate) fn secret(shape: usize, random: &mut Random) -> Secret {
    let whole = |text: String| Secret { parts: vec![text.clone()], text };
    let with = |text: String, part: String| Secret { text, parts: vec![part] };
    let r = random;
    match shape {
        0 => whole("AKIA".to_owned() + &r.text(UPPER_DIGITS, 16)),
        1 => whole("ASIA".to_owned() + &r.text(UPPER_DIGITS, 16)),
        2 => whole(r.text(BASE64, 40)),
        // A session token.
        3 => whole("IQoJb3JpZ2luX2VjE".to_owned() + &r.text(BASE64, 300) + "=="),
        // A JWT.
        4 => {
            let (head, body, tail) =
                (r.text(URL_SAFE, 33), r.text(URL_SAFE, 80), r.text(URL_SAFE, 43));
            Secret { text: format!("eyJ{head}.eyJ{body}.{tail}"), parts: vec![head, body, tail] }
        }
        5 => whole("ghp_".to_owned() + &r.text(ALPHANUMERIC, 36)),
        6 => whole("github_pat_".to_owned() + &r.text(ALPHANUMERIC, 82)),
        7 => {
            let part = r.text(ALPHANUMERIC, 24);
            with(format!("xoxb-778899778899-{part}"), part)
        }
        8 => {
            let part = r.text(ALPHANUMERIC, 24);
            with(format!("https://hooks.slack.com/services/T0/B0/{part}"), part)
        }
        9 => whole("sk_live_".to_owned() + &r.text(ALPHANUMERIC, 24)),
        10 => whole("sk-proj-".to_owned() + &r.text(URL_SAFE, 48)),
        11 => whole("AIza".to_owned() + &r.text(URL_SAFE, 35)),
        12 => whole("npm_".to_owned() + &r.text(ALPHANUMERIC, 36)),
        // A private key, and one of its lines.
        13 => {
            let (one, two) = (r.text(BASE64, 64), r.text(BASE64, 64));
            let text =
                format!("-----BEGIN PRIVATE KEY-----\n{one}\n{two}\n-----END PRIVATE KEY-----");
            Secret { text, parts: vec![one, two] }
        }
        14 => whole(r.text(BASE64, 64)),
        // Passwords in URLs and connection strings.
        15 => {
            let part = r.text(LOWER, 9);
            with(format!("postgres://admin:{part}@db.example:5432/orders"), part)
        }
        16 => {
            let part = r.text(ALPHANUMERIC, 12);
            with(format!("mongodb+srv://u:{part}!?#@cluster.example/?w=1"), part)
        }
        17 => {
            let part = r.text(LOWER, 10);
            with(format!("Server=db;Uid=app;Pwd={part};Encrypt=true"), part)
        }
        18 => {
            let part = r.text(BASE64, 86);
            with(format!("AccountName=a;AccountKey={part}=="), part)
        }
        19 => {
            let part = r.text(LOWER, 8);
            with(format!("app:{part}@tcp(10.0.0.1:3306)/orders"), part)
        }
        // Signed URLs and query strings.
        20 => {
            let (signature, token) = (r.text(HEX, 64), r.text(URL_SAFE, 40));
            let text = format!(
                "https://orders.s3.eu-west-1.amazonaws.com/a.pdf?X-Amz-Security-Token={token}&X-Amz-Signature={signature}"
            );
            Secret { text, parts: vec![signature, token] }
        }
        21 => {
            let (user, code) = (r.text(LOWER, 8), r.text(LOWER, 8));
            let text = format!("GET /reset?user={user}&code={code}");
            Secret { text, parts: vec![user, code] }
        }
        // Headers.
        22 => {
            let part = r.text(URL_SAFE, 30);
            with(format!("Authorization: Bearer {part}"), part)
        }
        23 => {
            let part = r.text(BASE64, 24);
            with(format!("authorization: Basic {part}"), part)
        }
        24 => {
            let (one, two) = (r.text(LOWER, 9), r.text(HEX, 20));
            let text = format!("Cookie: theme={one}; sid={two}; lang=en");
            Secret { text, parts: vec![one, two] }
        }
        25 => whole(r.text(HEX, 32)),
        26 => whole(r.text(HEX, 64)),
        // Words, as people choose them.
        27 => whole(r.text(LOWER, 9)),
        28 => whole(r.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 14)),
        29 => {
            let words = [r.text(LOWER, 7), r.text(LOWER, 8), r.text(LOWER, 9)];
            Secret { text: words.join(" "), parts: words.into() }
        }
        // Numbers of cards, as they are written.
        30 => {
            let groups: Vec<String> = (0..4).map(|_| r.text(ODD_DIGITS, 4)).collect();
            let text = groups.join(["", " ", "-"][r.below(3)]);
            Secret { text, parts: groups }
        }
        31 => whole(r.text(ODD_DIGITS, 6)),
        32 => {
            let part = r.text(LOWER, 9);
            with(format!("{part}@example.org"), part)
        }
        // An address of words that AWS uses too.
        33 => whole(["support@client.com", "info@service.org"][r.below(2)].to_owned()),
        // Whose session it is.
        34 => {
            let part = r.text(LOWER, 9);
            let role = "arn:aws:sts::123456789012:assumed-role/orders-role";
            with(format!("{role}/{part}"), part)
        }
        _ => {
            let part =
                ["8", "4", "4", "4", "12"].map(|n| r.text(HEX, n.parse().unwrap())).join("-");
            with(format!("x-api-key: {part}"), part)
        }
    }
}

/// What stands before a secret and after it.
pub(crate) const FRAMES: [(&str, &str); 22] = [
    ("", ""),
    ("password is ", ""),
    ("the password was '", "'"),
    ("password=", ""),
    ("password: ", ","),
    ("\"password\": \"", "\""),
    ("{\"client_secret\":\"", "\"}"),
    ("{'api_key': '", "'}"),
    ("--token ", ""),
    ("--token=", ""),
    ("DB_PASSWORD=", ""),
    ("AWS_SECRET_ACCESS_KEY=", ""),
    ("user ", " logged in"),
    ("body: {\"card\":\"", "\",\"name\":\"x\"}"),
    ("(", ")"),
    ("[", "]"),
    ("<", ">"),
    ("event=", ";"),
    ("$ mysql -p", ""),
    ("key ", " denied"),
    ("`", "`"),
    ("id: ", " error"),
];
