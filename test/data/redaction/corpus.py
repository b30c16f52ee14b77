"""Personal data and what looks like it, drawn from public formats with a seed.

    python3 test/data/redaction/corpus.py 1 | head        # one JSON document a line

A positive is a text that holds one secret; a negative holds none, and must come back as it is. Numbers follow issuer
ranges (ISO/IEC 7812), E.164 and national plans, RFC 5322 and 6531, ISO 13616 and the rules of national ids. They are
made here from the standards, not from the matchers' tables.
"""
import base64
import hashlib
import json
import random
import string
import sys
import uuid


def luhn(digits):
    total = sum(d if i % 2 else sum(divmod(2 * d, 10)) for i, d in enumerate(map(int, reversed(digits))))
    return str(-total % 10)


def digits(rng, count):
    return "".join(rng.choice(string.digits) for _ in range(count))


def plan(rng, pattern):
    """# any digit, N 2 to 9, P 1 to 9; the rest as it stands."""
    return "".join({"#": rng.choice("0123456789"), "N": rng.choice("23456789"), "P": rng.choice("123456789")}.get(c, c) for c in pattern)


# ---------------------------------------------------------------- positives

ISSUERS = [("4", 16), ("4", 16), ("4", 19), ("51", 16), ("55", 16), ("53", 16), ("2221", 16), ("2720", 16), ("2500", 16), ("34", 15), ("37", 15),
           ("6011", 16), ("644", 16), ("649", 16), ("65", 16), ("622126", 16), ("622925", 16), ("36", 14), ("300", 14), ("305", 14),
           ("38", 14), ("3528", 16), ("3589", 16), ("62", 16), ("62", 19), ("5018", 16), ("6759", 16), ("6304", 16), ("6763", 18), ("2200", 16), ("2204", 16)]


def card_digits(rng, issuers=ISSUERS):
    prefix, length = rng.choice(issuers)
    body = prefix + digits(rng, length - len(prefix) - 1)
    return body + luhn(body)


def grouped(number, separator):
    sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(number), (4, 4, 4, 4, 4))
    parts, rest = [], number
    for size in sizes:
        if rest:
            parts.append(rest[:size])
            rest = rest[size:]
    return separator.join(parts)


CARD_SEPARATORS = ["", "", " ", "-", "\u00a0", "\u202f", "\u2011", "."]


def card(rng):
    return grouped(card_digits(rng), rng.choice(CARD_SEPARATORS))


FIRST = "ada grace alan linus edsger barbara donald tim margaret ken dennis radia hedy o'brien j.r.r anne-marie x".split()
LAST = "lovelace hopper turing torvalds dijkstra liskov knuth berners-lee hamilton thompson ritchie perlman lamarr smith".split()
DOMAINS = ("example.org example.com mail.example.net sub.dept.example.co.uk example.de xn--bcher-kva.example corp.example.io 163.com "
           "gmail.com outlook.com example.travel example.museum a.co univ-paris8.example.fr 3m.com").split()
WIDE_LOCAL = ["jürgen", "用户", "дмитрий", "θσερ", "josé.garcía", "björn", "अजय"]
WIDE_DOMAINS = ["bücher.example", "例子.公司", "пример.рф", "παράδειγμα.ελ", "müller.de", "उदाहरण.भारत"]


def email_parts(rng):
    local = rng.choice([lambda: rng.choice(FIRST), lambda: rng.choice(FIRST) + "." + rng.choice(LAST), lambda: rng.choice(FIRST) + "_" + digits(rng, 3),
                        lambda: rng.choice(FIRST)[0] + rng.choice(LAST), lambda: rng.choice(LAST) + "+" + rng.choice(["news", "shop", "x1"]),
                        lambda: rng.choice(FIRST).upper() + "." + rng.choice(LAST).title(), lambda: digits(rng, 8), lambda: rng.choice(WIDE_LOCAL)])()
    domain = rng.choice(DOMAINS) if rng.random() < 0.8 else rng.choice(WIDE_DOMAINS)
    return local, domain


def email(rng):
    local, domain = email_parts(rng)
    at = rng.choice(["@"] * 8 + ["\uff20", "%40"])
    if at == "%40":
        local = local.encode("ascii", "ignore").decode().replace("'", "") or "ada"
    return local + at + domain


NATIONAL_PHONES = ["(N##) N##-####", "(N##)N##-####", "N##-N##-####", "N##.N##.####", "1-N##-N##-####", "(0P#) ###-####", "(030) ###-####", "(089) ######",
                   "030 #######", "0171 #######", "040/#######", "0221-#######", "020 7### ####", "07P## ######", "01 P# ## ## ##", "06 P# ## ## ##",
                   "01.P#.##.##.##", "03-####-####", "090-####-####", "02 P### ####", "(02) P### ####", "04## ### ###", "(11) 9####-####", "(21) N###-####",
                   "138 #### ####", "010-####-####", "044 ### ## ##", "0P# ### ## ##", "011 ### ####", "02 ### ###", "08-## ## ##", "06 20 ### ####", "(06 1) ### ####",
                   "(0-P##) #####", "01 ## ## ####", "04P#.###.###", "(60P) #######", "(2) 2### ####",
                   "6 P# 2# 1# 0#", "43/P##-####", "(67)/P##-####", "98#-P######", "41-P###-####", "8 (7P###) P ## ##", "8 01## ##-##-##", "011 15-N###-####",
                   "3# 2# 1# 4#", "04# ## ##", "(351) 9## ### ###", "(351) 93#######"]
WORLD_PHONES = ["+1 N## N## ####", "+1-N##-N##-####", "+1 (N##) N##-####", "+1N##N######", "+44 20 #### ####", "+44 7### ######", "+447#########", "+49 30 #######",
                "+49 (0)30 #######", "+49-171-#######", "+4930########", "+33 6 ## ## ## ##", "+33 P ## ## ## ##", "+336########", "+34 6## ### ###", "+39 06 #### ####",
                "+41 44 ### ## ##", "+43 1 #######", "+31 20 ### ####", "+32 2 ### ## ##", "+45 ## ## ## ##", "+46 8 ### ### ##", "+47 ## ## ## ##", "+48 ## ### ## ##",
                "+7 495 ###-##-##", "+7 (9##) ###-##-##", "+81 3 #### ####", "+81-90-####-####", "+82 10 #### ####", "+86 138 #### ####", "+91 9#### #####", "+91-9#########",
                "+55 11 9####-####", "+52 55 #### ####", "+61 4## ### ###", "+61 2 #### ####", "+64 21 ### ####", "+27 8# ### ####", "+353 8# ### ####", "+358 40 #######",
                "+351 91# ### ###", "+972 5#-###-####", "+971 50 ### ####", "+677 4####", "+500 3####", "+685 2####", "+380 67 ### ####", "+90 5## ### ####", "+234 80# ### ####", "0044 20 #### ####", "+65 #### ####"]


# What is a telephone number because somebody says so.
ASKED_PHONES = ["P## ### ###", "P# ## ## ##", "P### ####", "P##-####", "NN########", "P## ## ## ##", "P## ### ####", "PP ######", "P#########", "6 P# ## ## ##"]
ASKING = ["call me at {}", "Please call {} today", "contact: {}", "phone {}", "tel: {}", "Telefon {}", "reach me on {}", "my mobile number is {}", "WhatsApp {}", "fax no. {}", "Телефон: {}", "τηλέφωνο {}",
          "電話番号は{}です", "他的手机{}", "연락처 {}", "telemóvel {}", "puhelin: {}", "tlf {}"]

# What is too short without somebody who introduces it.
SHORT_PHONES = ["P####", "P##-###", "P# ####", "P# ## ##"]
INTRODUCING = ["phone: {}", "Tel. {}", "fax: {}", "tel: {}", "Тел. {}"]


def bare_phone(rng):
    """A trunk zero and what follows, without spaces; ISBN-10 with a check digit that holds are something else."""
    while True:
        number = plan(rng, rng.choice(["06########", "07########", "04########", "01########", "02#########", "07#########", "080########", "0P########"]))
        if len(number) != 10 or sum((10 - i) * int(d) for i, d in enumerate(number)) % 11:
            return number


def asked_phone(rng):
    number = plan(rng, rng.choice(ASKED_PHONES))
    # Ten digits that begin with 1 are seconds as likely.
    return "2" + number[1:] if number.isdigit() and number[0] == "1" else number


def chinese_mobile(rng):
    return plan(rng, rng.choice(["13#########", "15#########", "18#########", "199########"]))


def phone(rng):
    if rng.random() < 0.1:
        return bare_phone(rng)
    number = plan(rng, rng.choice(WORLD_PHONES + NATIONAL_PHONES))
    if " " in number and rng.random() < 0.2:
        number = number.replace(" ", "\u00a0")
    return number


def ssn(rng):
    area = rng.choice([n for n in range(1, 900) if n != 666])
    return rng.choice(["-", "-", "-", "\u2011"]).join([f"{area:03}", f"{rng.randint(1, 99):02}", f"{rng.randint(1, 9999):04}"])


def cpf(rng):
    body = digits(rng, 9)
    for _ in range(2):
        total = sum(int(d) * w for d, w in zip(body, range(len(body) + 1, 1, -1)))
        body += str(10 * total % 11 % 10)
    return f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}"


def dni(rng):
    number = rng.randrange(10 ** 7, 10 ** 8)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def nino(rng):
    while True:
        prefix = rng.choice("ABCEGHJKLMNOPRSTWXYZ") + rng.choice("ABCEGHJKLMNPRSTWXYZ")
        if prefix not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
            break
    body = digits(rng, 6)
    return rng.choice([f"{prefix}{body}", f"{prefix} {body[:2]} {body[2:4]} {body[4:]} "]) + rng.choice("ABCD")


def personnummer(rng):
    body = f"{rng.randint(0, 99):02}{rng.randint(1, 12):02}{rng.randint(1, 28):02}{digits(rng, 3)}"
    body += luhn(body)
    return f"{body[:6]}-{body[6:]}"


def hetu(rng):
    date, order = f"{rng.randint(1, 28):02}{rng.randint(1, 12):02}{rng.randint(0, 99):02}", f"{rng.randint(2, 899):03}"
    return f"{date}{rng.choice('-A')}{order}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(date + order) % 31]}"


def nir(rng):
    body = f"{rng.choice('12')}{rng.randint(0, 99):02}{rng.randint(1, 12):02}{rng.randint(1, 95):02}{digits(rng, 6)}"
    whole = body + f"{97 - int(body) % 97:02}"
    return rng.choice([whole, " ".join([whole[0], whole[1:3], whole[3:5], whole[5:7], whole[7:10], whole[10:13], whole[13:]])])


def birth(rng, form):
    return form.format(y=rng.randint(0, 99), m=rng.randint(1, 12), d=rng.randint(1, 28))


def korean(rng):
    return birth(rng, "{y:02}{m:02}{d:02}") + f"-{rng.randint(1, 8)}" + digits(rng, 6)


def thai(rng):
    body = rng.choice("12345678") + digits(rng, 11)
    body += str((11 - sum(int(d) * w for d, w in zip(body, range(13, 1, -1))) % 11) % 10)
    return f"{body[0]}-{body[1:5]}-{body[5:10]}-{body[10:12]}-{body[12]}"


def argentine(rng):
    while True:
        body = rng.choice(["20", "23", "27"]) + digits(rng, 8)
        check = (11 - sum(int(d) * w for d, w in zip(body, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2))) % 11) % 11
        if check < 10:
            return f"{body[:2]}-{body[2:]}-{check}"


def chilean(rng):
    while True:
        body = plan(rng, "P#######")
        check = (11 - sum(int(d) * (2 + i % 6) for i, d in enumerate(reversed(body))) % 11) % 11
        if check < 10:
            return rng.choice([f"{body[:2]}.{body[2:5]}.{body[5:]}-{check}", f"{body}-{check}"])


def rodne_cislo(rng):
    while True:
        number = birth(rng, "{y:02}{m:02}{d:02}") + digits(rng, 4)
        number = number[:2] + f"{int(number[2:4]) + rng.choice([0, 50]):02}" + number[4:]
        if int(number) % 11 == 0:
            return f"{number[:6]}/{number[6:]}"


def nhs(rng):
    while True:
        body = plan(rng, "N########")
        check = (11 - sum(int(d) * (10 - i) for i, d in enumerate(body)) % 11) % 11
        if check < 10:
            return f"{body[:3]} {body[3:6]} {body[6:]}{check}"


def belgian(rng):
    date, serial, century = birth(rng, "{y:02}{m:02}{d:02}"), f"{rng.randint(1, 997):03}", rng.choice(["", "2"])
    return f"{date[:2]}.{date[2:4]}.{date[4:]}-{serial}.{97 - int(century + date + serial) % 97:02}"


def snils(rng):
    body = digits(rng, 9)
    check = sum(int(d) * (9 - i) for i, d in enumerate(body)) % 101 % 100
    return f"{body[:3]}-{body[3:6]}-{body[6:]} {check:02}"


def norwegian(rng):
    while True:
        body = birth(rng, "{d:02}{m:02}{y:02}") + digits(rng, 3)
        for weights in ((3, 7, 6, 1, 8, 9, 4, 5, 2), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)):
            body += str((11 - sum(int(d) * w for d, w in zip(body, weights)) % 11) % 11)
        if len(body) == 11:
            return rng.choice([body, f"{body[:6]} {body[6:]}"])


def curp(rng):
    letters = lambda count: "".join(rng.choice("ABCDEFGHJKLMNPRSTVW") for _ in range(count))
    return letters(4) + birth(rng, "{y:02}{m:02}{d:02}") + rng.choice("HM") + letters(5) + digits(rng, 2)


def taiwanese(rng):
    places = dict(zip("ABCDEFGHJKLMNPQRSTUVXYWZIO", range(10, 36)))
    body = rng.choice("ABCDEFGHJKLMNPQRSTUVXYWZIO") + rng.choice("12") + digits(rng, 7)
    total = places[body[0]] // 10 + 9 * (places[body[0]] % 10) + sum(int(d) * (8 - i) for i, d in enumerate(body[1:]))
    return body + str(-total % 10)


def nric(rng):
    kind, body = rng.choice("STFG"), digits(rng, 7)
    total = sum(int(d) * w for d, w in zip(body, (2, 7, 6, 5, 4, 3, 2))) + (4 if kind in "TG" else 0)
    return kind + body + ("JZIHGFEDCBA" if kind in "ST" else "XWUTRQPNMLK")[total % 11]


NATIONAL = [ssn, ssn, ssn, cpf, dni, nino, personnummer, hetu, nir, korean, thai, argentine, chilean, rodne_cislo, nhs, belgian, snils, norwegian, curp, taiwanese, nric,
            lambda rng: plan(rng, "P####-#######-#").replace("9", "3", 1), lambda rng: f"784-{rng.randint(1950, 2020)}-" + digits(rng, 7) + "-1",
            lambda rng: birth(rng, "{y:02}{m:02}{d:02}") + plan(rng, "-P#-####")]

# Digits that are a person's because of the word before them.
NAMED_IDS = ["SSN {9}", "SSN: {9}", "BSN {9}", "SIN: {9}", "TFN {9}", "NHS number {10}", "PESEL {11}", "my PESEL is {11}", "CPF: {11}", "Steuer-ID {11}", "CNP {13}", "OIB {11}", "kimlik no {11}",
             "Aadhaar {12}", "passport number {9}", "Passport no. C01X00T{2}", "driver's license D{8}", "DNI {8}", "fødselsnummer {11}", "My Number {12}", "マイナンバー{12}", "СНИЛС {11}"]


def named_id(rng):
    """The sentence, and the secret in it."""
    before, count = rng.choice(NAMED_IDS)[:-1].rsplit("{", 1)
    secret = rng.choice("23456789") + digits(rng, int(count) - 1)
    return before + secret, secret


def national_id(rng):
    return rng.choice(NATIONAL)(rng)


IBANS = {"DE": "##################", "GB": "AAAA##############", "FR": "#######################", "ES": "####################", "NL": "AAAA##########", "CH": "#################",
         "AT": "################", "IT": "A######################", "BE": "############", "NO": "###########", "SE": "####################", "PL": "########################"}


def iban(rng):
    country = rng.choice(sorted(IBANS))
    body = "".join(rng.choice(string.ascii_uppercase) if c == "A" else rng.choice(string.digits) for c in IBANS[country])
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    whole = f"{country}{98 - number % 97:02}{body}"
    return rng.choice([whole, " ".join(whole[i:i + 4] for i in range(0, len(whole), 4))])


POSITIVES = {"card": card, "email": email, "phone": phone, "national_id": national_id, "iban": iban}

# Words around a secret; what a person or a program writes.
SENTENCES = ["{}", "{}", "reach me at {} please", "the customer gave {} yesterday", "{} is on file", "value: {}.", "({})", "a, {}, b", "[{}]", "\"{}\"",
             "first line\n{}\nlast line", "x\t{}", "see {}; then go on", "<{}>", "note={}", "Kunde {} rief an", "お客様 {} です", "ok? {} !", "* {}", "from {} to the desk"]

# Names that tell nothing, so that the value alone decides.
PLAIN = "note text message comment summary input output content body detail a x1 remark prompt answer".split()

# ---------------------------------------------------------------- members that tell by their name

MEMBER_WORDS = {
    "email": [["email"], ["user", "email"], ["e", "mail"], ["customer", "email", "address"], ["contact", "email"], ["reply", "email"], ["billing", "email"], ["email", "address"]],
    "phone": [["phone"], ["phone", "no"], ["phone", "number"], ["mobile", "phone"], ["home", "phone"], ["user", "phone", "number"], ["fax"], ["telephone"], ["contact", "phone"],
              ["mobile", "number"], ["work", "fax", "number"], ["tel"], ["phone", "nr"]],
    "card": [["card", "number"], ["credit", "card"], ["credit", "card", "number"], ["card", "no"], ["pan"], ["cc", "number"], ["user", "card", "number"], ["debit", "card", "number"]],
    "national_id": [["ssn"], ["user", "ssn"], ["social", "security", "number"], ["national", "id"], ["passport", "number"], ["passport"], ["tax", "id"], ["customer", "tax", "id"],
                    ["drivers", "license", "number"], ["national", "insurance", "number"]],
    "iban": [["iban"], ["customer", "iban"], ["bank", "account", "number"]],
}


def join_words(rng, words):
    return rng.choice([lambda: "_".join(words), lambda: "-".join(words), lambda: words[0] + "".join(w.title() for w in words[1:]), lambda: "".join(w.title() for w in words),
                       lambda: "_".join(words).upper(), lambda: " ".join(words), lambda: ".".join(words)])()


def opaque(rng):
    """What no matcher knows by itself."""
    return rng.choice([digits(rng, 9), "ext " + digits(rng, 4), "".join(rng.choice(string.ascii_uppercase + string.digits) for _ in range(9)), "unknown-" + digits(rng, 5)])


# ---------------------------------------------------------------- negatives

def not_luhn(rng):
    number = card_digits(rng)
    return number[:-1] + str((int(number[-1]) + rng.randint(1, 9)) % 10)


def not_issuer(rng):
    body = rng.choice(["1", "7", "9", "0", "11", "84"]) + digits(rng, 14)
    body = body[:15]
    return body + luhn(body)


def seconds(rng):
    return rng.randint(1_600_000_000, 1_899_999_999)


def isbn13(rng):
    body = rng.choice(["978", "979"]) + digits(rng, 9)
    check = str(-sum(int(d) * (1, 3)[i % 2] for i, d in enumerate(body)) % 10)
    return rng.choice([body + check, f"{body[:3]}-{body[3]}-{body[4:8]}-{body[8:12]}-{check}", f"{body[:3]} {body[3]} {body[4:7]} {body[7:12]} {check}"])


def isbn10(rng):
    body = digits(rng, 9)
    check = sum((i + 1) * int(d) for i, d in enumerate(body)) % 11
    last = "X" if check == 10 else str(check)
    return rng.choice([f"{body[0]}-{body[1:4]}-{body[4:]}-{last}", body + last, "ISBN " + body + last])


def version(rng):
    return ".".join(str(rng.randint(0, 40)) for _ in range(3)) + rng.choice(["", "", "-rc.1", "-beta", "-beta.2", "+build.7", "-next.0", "rc1", ".dev0"])


PACKAGES = "pnpm react lodash left-pad yarn node typescript vite requests next eslint".split()
SCOPES = "scope babel types org-name my.org".split()
HOSTS = "github.com gitlab.com bitbucket.org git.example.org codeberg.org".split()


def package(rng):
    name = rng.choice(PACKAGES)
    return rng.choice([f"{name}@{version(rng)}", f"@{rng.choice(SCOPES)}/{name}@{version(rng)}", f"{name}@^{version(rng)}", f"{name}@latest", f"npm:{name}@{rng.randint(1, 20)}.x",
                       f"pkg:npm/{name}@{version(rng)}", f"{name}@v{version(rng)}", f"actions/{name}@v{rng.randint(1, 9)}", f"{name}@~{rng.randint(1, 9)}.{rng.randint(0, 9)}"])


def remote(rng):
    host, user = rng.choice(HOSTS), rng.choice(["deploy", "root", "ada", "ubuntu", "ec2-user"])
    return rng.choice([f"git@{host}:org/repo.git", f"git@{host}:org/sub/repo", f"ssh://git@{host}/org/repo.git", f"git clone git@{host}:a/b.git", f"https://{user}@{host}/org/repo.git",
                       f"ssh {user}@{host}", f"ssh -p 22 {user}@{host}", f"scp build.tar.gz {user}@{host}:/srv/app", f"rsync -av ./ {user}@{host}:/var/www/", f"{user}@{host}:/srv/data",
                       f"git+ssh://git@{host}/a/b.git#v1.2.3", f"postgres://{user}:secret@{host}/db", f"ssh {user}@10.0.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
                       f"{user}@localhost", f"root@web-{rng.randint(1, 99):02}", f"git@{host}", f"{user}@192.168.1.{rng.randint(1, 254)}"])


def hashed(rng):
    data = digits(rng, 12).encode()
    return rng.choice([hashlib.sha256(data).hexdigest(), hashlib.sha1(data).hexdigest(), hashlib.md5(data).hexdigest(), hashlib.sha1(data).hexdigest()[:7],
                       "sha256:" + hashlib.sha256(data).hexdigest(), base64.b64encode(hashlib.sha256(data).digest()).decode(),
                       f"00-{hashlib.md5(data).hexdigest()}-{hashlib.md5(data).hexdigest()[:16]}-01", f"image@sha256:{hashlib.sha256(data).hexdigest()}"])


def identifier(rng):
    return rng.choice([str(uuid.UUID(int=rng.getrandbits(128), version=rng.choice([4, 7]) if sys.version_info >= (3, 14) else 4)), str(rng.randint(10 ** 17, 2 * 10 ** 18)), "ord_" + digits(rng, 10),
                       "ORD-" + digits(rng, 8), "INC" + digits(rng, 7), "cus_" + "".join(rng.choice(string.ascii_letters + string.digits) for _ in range(14)), "JIRA-" + digits(rng, 4), plan(rng, "0P###-####"), plan(rng, "NN###-####"), "RG-" + digits(rng, 8),
                       f"arn:aws:iam::{rng.randint(10 ** 11, 10 ** 12 - 1)}:user/build", "1Z999AA1" + digits(rng, 10), "#" + digits(rng, 6), "0x" + format(rng.getrandbits(64), "x"),
                       f"req-{seconds(rng)}-{rng.randint(1, 999)}", f"run_{seconds(rng)}{digits(rng, 6)}", "tx " + format(rng.getrandbits(256), "064x"), "000000" + digits(rng, 6), not_luhn(rng), not_issuer(rng)])


def moment(rng):
    s = seconds(rng)
    return rng.choice([str(s), str(s * 1000 + rng.randint(0, 999)), str(s * 10 ** 6 + rng.randint(0, 999999)), str(s * 10 ** 9 + rng.randint(0, 10 ** 9 - 1)), f"{s}.{digits(rng, 6)}",
                       f"20{rng.randint(10, 39)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}.{digits(rng, 6)}Z",
                       f"{rng.randint(1, 28):02}/{rng.randint(1, 12):02}/20{rng.randint(10, 39)} {rng.randint(0, 23):02}:{rng.randint(0, 59):02}", f"20{rng.randint(10, 39)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}{digits(rng, 6)}",
                       f"{rng.randint(1, 28):02}-{rng.randint(1, 12):02}-20{rng.randint(10, 39)}", f"{rng.randint(1, 28):02}.{rng.randint(1, 12):02}.20{rng.randint(10, 39)} {rng.randint(0, 23):02}:{rng.randint(0, 59):02}",
                       f"20{rng.randint(10, 39)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} 0{rng.randint(1, 9)}:{rng.randint(10, 59)}:12", f"1999-2024", f"from {s} to {s + 60}"])


def amount(rng):
    return rng.choice([f"{rng.randint(1, 10 ** 12)}.{rng.randint(10, 99)}", f"${rng.randint(1, 999)},{rng.randint(100, 999)}.{rng.randint(10, 99)}", f"EUR {rng.randint(1, 999)}.{rng.randint(100, 999)}.{rng.randint(100, 999)},{rng.randint(10, 99)}",
                       f"{rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(100, 999)} kr", f"{rng.random():.16f}", f"{rng.random() * 100:.3f}%", f"{rng.randint(10 ** 12, 10 ** 13)}.5", f"-{rng.random():.12f}",
                       f"{rng.uniform(-90, 90):.6f},{rng.uniform(-180, 180):.6f}", f"1.{digits(rng, 15)}e+{rng.randint(10, 99)}", f"{rng.randint(1, 9)}.{digits(rng, 3)}.{digits(rng, 3)}", f"{rng.randint(100, 999)}x{rng.randint(100, 999)}",
                       f"{rng.randint(1, 10 ** 9)} bytes", f"£{rng.randint(1000, 9999)}.{rng.randint(10, 99)}", f"{rng.randint(1, 99)} of {rng.randint(100, 999)} done in {rng.randint(1000, 99999)} ms"])


def machine(rng):
    octet = lambda: str(rng.randint(0, 255))
    return rng.choice([".".join(octet() for _ in range(4)), ".".join(octet() for _ in range(4)) + ":" + str(rng.randint(1024, 65535)), ".".join(octet() for _ in range(4)) + "/24",
                       ":".join(f"{rng.randint(0, 255):02x}" for _ in range(6)), "-".join(f"{rng.randint(0, 99):02}" for _ in range(6)), f"2001:db8::{rng.randint(1, 9999):x}", f"logo@{rng.randint(2, 3)}x.png",
                       f"user@{rng.randint(100, 9999)}.service", f"getty@tty{rng.randint(1, 6)}.service", "@app.route('/x')", "@media (min-width: 600px)", "hello @ada, meet @grace", f"/api/v1/items/{rng.randint(1, 10 ** 7)}",
                       f"https://example.org/a?ts={seconds(rng)}&n={rng.randint(1, 99)}", f"f({rng.randint(100, 999)}, {rng.randint(100, 999)}, {rng.randint(1000, 9999)})", f"rows {rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(1000, 9999)}",
                       f"python {version(rng)}", version(rng), f"line {rng.randint(1, 9999)}, column {rng.randint(1, 99)}", f"exit status {rng.randint(0, 255)}", f"{rng.randint(1, 9)} + {rng.randint(100, 999)} = {rng.randint(100, 9999)}",
                       f"gpt-4-{digits(rng, 4)}", f"claude-3-5-sonnet-20{digits(rng, 6)}", f"p99={rng.randint(1, 999)}ms", f"[{rng.randint(1, 9)}, {rng.randint(10, 99)}, {rng.randint(100, 999)}]", f"a@b", f"user@host"])


def dump(rng):
    """Bytes, code points, coordinates, and numbers of 64 bits with a sign: rows of digits that are nobody's."""
    pairs = lambda count: " ".join(digits(rng, 2) for _ in range(count))
    code = rng.randrange(0x5000, 0x8F00)
    return rng.choice([lambda: f"c8 d7 {pairs(5)} a3 81", lambda: f"{pairs(8)} {pairs(8)}", lambda: f"{rng.randrange(0, 4096, 16):08x}  16 03 03 00 {rng.randint(10, 99)} 02 00 00  37 03 03 00 00 00 00 00  |...|",
                       lambda: " ".join(f"{code + i:04X}" for i in range(9)), lambda: f"{digits(rng, 8)} {digits(rng, 8)}  2b2a2928 2f2e2d2c",
                       lambda: f"+{rng.randint(10, 89)}{rng.randint(10, 59)}-0{rng.randint(10, 99)}{rng.randint(10, 59)}", lambda: str(rng.randint(-2 ** 63, -10 ** 18)),
                       lambda: f"fc:01 {rng.randint(10 ** 6, 10 ** 7 - 1)}", lambda: f"Feb {rng.randint(1, 28):02} 16:10:03 -0500 2006", lambda: f"SP 800-{rng.randint(100, 199)}C and on",
                       lambda: f"{rng.randint(1, 999)}\t\t0059 0308", lambda: f"U+2165 => {rng.randrange(30, 99):04} {rng.randrange(30, 99):04} 0041 0058", lambda: f"jmp e9 {pairs(4)}", lambda: f"{pairs(4)} d0 0 0",
                       lambda: f"{{{pairs(4)}}} {{1 2}}", lambda: f"x[{pairs(4)}]", lambda: " ".join(sorted(digits(rng, 2) for _ in range(4))), lambda: f"订单号{chinese_mobile(rng)}", lambda: f"余额{chinese_mobile(rng)}元",
                       lambda: f"we called by phone. {digits(rng, 5)} records followed", lambda: f"mobile {digits(rng, 4)}", lambda: f"(12) {digits(rng, 3)} {digits(rng, 3)} {digits(rng, 3)}",
                       lambda: f"{plan(rng, 'NNNNN')} {plan(rng, 'NNN')}{'TRWAGMYFPDXBNJZSQVHLCKE'[rng.randrange(23)]} 820A"])()


def no_national_id(rng):
    serial = f"{rng.randint(1, 9999):04}"
    return rng.choice([f"000-{rng.randint(1, 99):02}-{serial}", f"666-{rng.randint(1, 99):02}-{serial}", f"{rng.randint(1, 665):03}-00-{serial}", f"{rng.randint(1, 665):03}-{rng.randint(1, 99):02}-0000",
                       f"{rng.randint(1000, 9999)}-{rng.randint(10, 99)}-{rng.randint(1, 99)}", f"DE00{digits(rng, 18)}", f"XX12{digits(rng, 18)}", f"A{digits(rng, 3)}-{digits(rng, 2)}-{digits(rng, 4)}"])


NEGATIVES = {"moment": moment, "amount": amount, "isbn13": isbn13, "isbn10": isbn10, "package": package, "remote": remote, "hash": hashed, "identifier": identifier, "machine": machine, "dump": dump, "no_national_id": no_national_id}

HARMLESS_MEMBERS = ("email_template emailVerified sendEmail phone_model_count microphone cardinality discard scorecard dashboard_card passportControl companion expand mobileFirst telemetry "
                    "faxless ssn_of issn cardId cards emailCount has_phone isMobile hotel cancel pancake mailbox_size taxonomy license version span panel").split()


def span(rng):
    """What an agent's telemetry looks like."""
    ms = seconds(rng) * 1000 + rng.randint(0, 999)
    return rng.choice([
        lambda: {"start_ms": ms, "us": ms * 1000 + rng.randint(0, 999), "price": ms + 0.5},
        lambda: {"traceId": format(rng.getrandbits(128), "032x"), "spanId": format(rng.getrandbits(64), "016x"), "startTimeUnixNano": str(ms * 10 ** 6), "endTimeUnixNano": str(ms * 10 ** 6 + 5),
                 "attributes": {"gen_ai.usage.input_tokens": rng.randint(1, 99999), "http.status_code": 200, "llm.model": "gpt-4o-2024-08-06"}},
        lambda: {"tool": "search", "args": {"q": "weather in berlin", "limit": 10}, "latency_ms": rng.random() * 1000, "id": rng.randint(10 ** 12, 9 * 10 ** 15)},
        lambda: {"event": "retry", "attempt": rng.randint(1, 9), "at": ms, "queue": {"offset": rng.randint(10 ** 12, 9 * 10 ** 15), "lag": rng.randint(0, 10 ** 6)}},
        lambda: {"model": "claude", "usage": {"input": rng.randint(1, 10 ** 6), "cached": 0}, "cost": rng.random(), "request_id": "req_" + format(rng.getrandbits(80), "x"), "ts": [ms, ms + 1]},
        lambda: {"email": None, "phone": False, "seq": rng.randint(1, 10 ** 13), "hash": hashed(rng)},
        lambda: {rng.choice(HARMLESS_MEMBERS): rng.choice([rng.randint(1, 9999), "on", True, [1, 2]])},
        lambda: {rng.choice(["card", "pan", "mobile"]): rng.choice([{"title": "Latency", "width": rng.randint(1, 9)}, 0.5, "left", rng.randint(1, 999), [1, 2]])},
    ])()


# ---------------------------------------------------------------- the corpus

def corpus(seed, count=100):
    """(kind, text, secret or None): for each kind so many texts, in sentences; the same seed gives the same."""
    rng = random.Random(seed)
    cases = []
    for kind, make in POSITIVES.items():
        for _ in range(count):
            secret = make(rng)
            cases.append((kind, rng.choice(SENTENCES).format(secret), secret))
    for _ in range(count // 2):
        text, secret = named_id(rng)
        cases.append(("named id", rng.choice(["{}", "{}.", "the {} is right", "({})"]).format(text), secret))
        secret = asked_phone(rng)
        cases.append(("asked phone", rng.choice(ASKING).format(secret), secret))
    for _ in range(count // 10):
        secret = plan(rng, rng.choice(SHORT_PHONES))
        cases.append(("introduced phone", rng.choice(INTRODUCING).format(secret), secret))
        secret = chinese_mobile(rng)
        cases.append(("phone in Chinese", rng.choice(["客户{}来电", "请联系{}。", "他说：{}", "{}的用户"]).format(secret), secret))
    for kind, make in NEGATIVES.items():
        for _ in range(count):
            # Who is told to be reached at a number is told a telephone's.
            sentence = rng.choice([each for each in SENTENCES if "reach me" not in each])
            cases.append((kind, sentence.format(make(rng)) if kind != "remote" else make(rng), None))
    return cases


def documents(seed, count=100):
    """(kind, document, secret or None, keeps): the same in values and names of members at any depth, and by names alone."""
    rng = random.Random(seed * 7919)
    made = []
    for kind, text, secret in corpus(seed, count):
        member = rng.choice(PLAIN)
        shape = rng.randint(0, 4)
        made.append((kind, [{member: text}, {"a": [{"b": {member: text}}]}, [text], {member: [1, text, None]}, {text: 1}][shape], secret))
    for kind, names in MEMBER_WORDS.items():
        for _ in range(count // 5):
            words = rng.choice(names)
            # What a vague name may mean has digits.
            secret = digits(rng, 11) if words == ["pan"] else opaque(rng)
            made.append((kind + " member", rng.choice([lambda d: d, lambda d: {"user": d}, lambda d: [d]])({join_words(rng, words): secret}), secret))
    for _ in range(count // 2):
        number = card_digits(rng, [(p, n) for p, n in ISSUERS if n <= 15 or (n == 16 and p < "9")])
        if int(number) < 2 ** 53:
            made.append(("card number", {rng.choice(PLAIN): int(number)}, number))
    for _ in range(2 * count):
        made.append(("span", span(rng), None))
    return made


if __name__ == "__main__":
    for made in documents(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        print(json.dumps(made, ensure_ascii=False))
