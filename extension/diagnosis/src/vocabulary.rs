//! The words that AWS's error texts and SDKs are made of: what may be shown of a log line, since it
//! says nothing of whoever wrote the line.

use std::cmp::Ordering;

/// In the order of their bytes, in lower case, parted by single blanks; searched as they stand.
/// A name such as `KMSDisabledException` counts by its parts.
const WORDS: &str = "\
    a ability able about absent access accessible according account acquire action actions active address \
    addresses after again alias all allow allowed allows already also amazon amazonaws an and another \
    answer any api app application applies are arn array as associated assumed async at attached attempt \
    attempts auth authorization authorized auto availability available aws awskms awssdk back backend bad \
    based be because been before being between blocked body boto3 botocore boundary bucket burst but by \
    call called caller calling calls can cannot cause caused change channel check ciphertext class client \
    closed cluster cmk cmks code com command compatible completed concurrent condition configuration \
    configured conflict connect connected connection connectivity console contact contains context control \
    copyfile core could couldn count create credential credentials custom customer data database debug \
    decrypt decrypted decrypting decryption default delete deleted deletion delivery denied denies deny \
    dependency derive desc describe descriptor descriptors details detected device dial did didn different \
    directory disabled disconnected disk dlq dns do does doesn don down due dynamodb eacces each eagain \
    eai ec2 ecr edquot efs efsio eio elastic elasticfilesystem element emfile enable enabled encrypt \
    encrypted encrypting encryption endpoint enoent enospc enotconn enotfound enough entity environment \
    eperm erofs errno error errorfactory errors estale etimedout event events exceed exceeded exceeds \
    exception exceptions excessive execute executed execution exhausted exist exists exit exited expired \
    explicit explicitly extended extension extras failed failing failure failures false fatal fault field \
    file files filesystem find firehose for forbidden fork format found free frequency from function \
    functions further gaierror generate get getaddrinfo given glue go gone got grant grants group had \
    handle handler has have header host hostname hosts http https iam id identifier identify identity if \
    import imported in inaccessible inactive incorrect info initialization initialize initialized \
    initializing inner inode input instance interface interfaces internal into invalid invocation \
    invocations invoke invoked invoking io ip is isn issue it item its java javascript key keyid keys \
    kinesis kms lambda last later layer left length level limit limited limits line list listen local lock \
    log long longer lookup loop loops mac made make malformed management manager many master match \
    matching max maximum may memory message messages meta metadata method min misbehaving missing mkdir \
    model more most mount mounted mounting mounts must name named native need needed needs network new nfs \
    no node nodename none not null number object occurred of off on one only open operation operations opt \
    or org organization origin os other out output over own owner pair parameter parameters parse part \
    path payload pending per perform performed performing permission permissions permitted ping plaintext \
    please point policies policy pool port possible private problem process processing project protected \
    provide provided provider proxy pthread public publish put query queue quota raised random rate raw re \
    reach reached read reading ready reason receive received record recursive reduce reestablish refers \
    refused region registered regular rejected release remote rename request requested requests required \
    reserved reset resolution resolve resource resources response rest restore restored result retire \
    retried retries retry retryable retrying role root route rule run running runtime rust s s3 s3files \
    same scan scandir sdk second seconds secret secrets secretsmanager security see select send sent \
    server service services servname session set settings severe shared should sign signal signature size \
    slow snap snapshot snapshots sns so socket software some source space spawn specified specify sqs ssm \
    stack stale start stat state status step stopped storage store stream string subnet subnets \
    subscription success such support supported sysopen system t table taking target task tcp temporarily \
    temporary text than that the their them then there these they this thread threads throttled throttling \
    through thrown time timed timedout timeout times to token tokens too trace traceback transient \
    transport trent true try trying two type types unable unauthorized unavailable unexpected unhandled \
    unknown unlink unsupported until unusable up update updates updating upload uri url usage use used \
    user uses using uv valid validate validation value values var variable variables verify version via \
    volume vpc wait waited waiting warn warning was wasn were what when where which while will with within \
    without worker workers write writing yet you your zone zones";

/// Whether AWS's texts are made of this word, in whatever case of letters.
fn is_word(word: &str) -> bool {
    let (word, words) = (word.as_bytes(), WORDS.as_bytes());
    // None has a blank in it, which would find the end of one and the beginning of the next.
    if word.is_empty() || !word.iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    let word = word.iter().map(u8::to_ascii_lowercase);
    let is_blank = |at: &usize| words[*at] == b' ';
    let (mut begin, mut end) = (0, words.len());
    while begin < end {
        // The word that the middle is in, or that it is right before.
        let middle = usize::midpoint(begin, end);
        let start = (begin..middle).rev().find(is_blank).map_or(begin, |blank| blank + 1);
        let stop = (middle.max(start)..end).find(is_blank).unwrap_or(end);
        match words[start..stop].iter().copied().cmp(word.clone()) {
            Ordering::Equal => return true,
            Ordering::Less => begin = stop + 1,
            Ordering::Greater => end = start.saturating_sub(1),
        }
    }
    false
}

/// Whether a text is such a word or, like `com.amazonaws.kms#KMSDisabledException` and
/// `kms:Decrypt`, composed of such words alone.
pub(crate) fn is_composed_of_words(text: &str) -> bool {
    if is_word(text) {
        return true;
    }
    // As in `@aws-sdk/client-kms`. Between words it makes an address, as `?` makes a query string.
    let text = text.strip_prefix('@').unwrap_or(text);
    let joints = ['.', '_', ':', '/', '#', '$', '=', '-', '|', '!', '\u{2019}'];
    // A letter alone, of `can't`, is no part of a name.
    let is_part = |part: &str| part.len() > 1 && is_word(part);
    text.split(joints).filter(|part| !part.is_empty()).all(|name| humps(name).all(is_part))
}

/// `KMSKeyNotFound` → `KMS`, `Key`, `Not`, `Found`.
fn humps(name: &str) -> impl Iterator<Item = &str> {
    let bytes = name.as_bytes();
    let mut begin = 0;
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            at += 1;
            let (before, here) = (bytes[at - 1], bytes.get(at).copied());
            let next = bytes.get(at + 1);
            let is_end = match here {
                None => true,
                Some(here) if here.is_ascii_uppercase() => {
                    !before.is_ascii_uppercase() || next.is_some_and(u8::is_ascii_lowercase)
                }
                Some(_) => false,
            };
            if is_end {
                let hump = name.get(begin..at);
                begin = at;
                // Not ASCII: no word of these.
                return Some(hump.unwrap_or_default());
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_stands_once_and_in_its_place_and_is_found_there() {
        let words: Vec<&str> = WORDS.split(' ').collect();
        assert!(words.is_sorted_by(|one, next| one < next), "by their bytes, and each once");
        for word in &words {
            assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{word}");
            assert!(word.len() > 1 || ["a", "s", "t"].contains(word), "{word}");
            assert!(is_word(word) && is_word(&word.to_ascii_uppercase()), "{word}");
            // What is next to it in any way is found only if it is a word itself.
            for other in
                [&word[1..], &word[..word.len() - 1], &format!("{word}x"), &format!("{word} ")]
            {
                assert_eq!(is_word(other), words.contains(&other), "{other}");
            }
        }
        for pair in words.windows(2) {
            assert!(!is_word(&pair.join(" ")), "{pair:?}");
        }
        assert!(!is_word("") && !is_word(" ") && !is_word("é"));
    }

    #[test]
    fn names_are_taken_apart() {
        let parts = |name| humps(name).collect::<Vec<_>>();
        assert_eq!(parts("KMSKeyNotFound"), ["KMS", "Key", "Not", "Found"]);
        assert_eq!(parts("S3FilesMount"), ["S3", "Files", "Mount"]);
        assert_eq!(parts("errorType"), ["error", "Type"]);
        assert_eq!(parts("RequestID"), ["Request", "ID"]);
        assert_eq!(parts("x"), ["x"]);
        assert_eq!(parts("é"), ["é"]);
        assert_eq!(parts(""), [""; 0]);
    }

    #[test]
    fn only_what_is_all_of_known_words_is_composed_of_them() {
        for text in [
            "com.amazonaws.kms#DisabledException",
            "kms:Decrypt",
            "can",
            "identity-based",
            "@aws-sdk/client-kms",
        ] {
            assert!(is_composed_of_words(text), "{text}");
        }
        for text in [
            "hunter2",
            "kms:hunter",
            "HunterException",
            "tAsAt",
            "é",
            "key7",
            "12",
            "support@client.com",
            "/user/account?name=grant",
        ] {
            assert!(!is_composed_of_words(text), "{text}");
        }
    }
}
