"""A corpus that others made the values of: Faker, and libphonenumber's example numbers of every country.

Where corpus.py writes numbers by plans and standards, this takes what two libraries call a telephone number, an address, an
account or a card, and what one of them calls anything else. Some of Faker's are none: JCB cards of unassigned issuers,
British IBANs of 21 characters, area codes that no plan has. They count as missed all the same.

    PYTHONPATH=$(test/stack/pywheels.sh .build/wheels/redaction Faker==40.63.0 phonenumbers==9.0.43) python3 test/data/redaction/others.py | head
"""
import json
import random

import faker
import phonenumbers

LOCALES = ("en_US en_GB de_DE fr_FR es_ES it_IT nl_NL pl_PL pt_BR pt_PT sv_SE no_NO fi_FI da_DK cs_CZ ru_RU tr_TR ja_JP ko_KR zh_CN en_AU en_CA en_IN es_MX fr_CH de_AT de_CH el_GR "
           "hu_HU uk_UA").split()
ALONE = ["{}", "{}", "({})", "value {}", "from {} to the desk", "{} is on file", "a, {}, b", "the customer gave {} yesterday"]
WORDED = ["phone: {}", "Tel. {}", "call me at {}", "contact {}", "mobile {}", "Fax {}"]
NOBODYS = ("uuid4 isbn10 isbn13 ean13 ean8 ipv4 ipv6 mac_address sha1 sha256 md5 pricetag iso8601 date time unix_time url user_agent file_path android_platform_token license_plate hex_color "
           "latitude longitude postcode pydecimal pyfloat sentence bban swift port_number random_int street_address company image_url uri_path slug hostname ipv4_private chrome pystr "
           "building_number").split()


def corpus(seed=1):
    """(kind, text, secret or None)"""
    rng = random.Random(seed)
    made = []
    faker.Faker.seed(seed)

    def add(kind, secret, sentences=ALONE):
        made.append((kind, rng.choice(sentences).format(secret), secret))

    for locale in LOCALES:
        fake = faker.Faker(locale)
        for kind, make in [("email", "email"), ("email", "safe_email"), ("iban", "iban"), ("card", "credit_card_number"), ("phone", "phone_number"), ("phone", "phone_number")]:
            for _ in range(3):
                add(kind, getattr(fake, make)())
    forms, types = phonenumbers.PhoneNumberFormat, phonenumbers.PhoneNumberType
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (types.FIXED_LINE, types.MOBILE):
            number = phonenumbers.example_number_for_type(region, kind)
            for name in ("INTERNATIONAL", "E164", "NATIONAL") if number else ():
                written = phonenumbers.format_number(number, getattr(forms, name))
                add(f"{name.lower()} phone", written)
                add(f"{name.lower()} phone after a word", written, WORDED)
    fake = faker.Faker("en_US")
    for name in NOBODYS:
        for _ in range(40):
            made.append((name, rng.choice(ALONE).format(getattr(fake, name)()), None))
    for _ in range(160):
        amount = f"{rng.randrange(10 ** rng.randrange(4, 12)):,}"
        made.append(("amount", rng.choice(ALONE).format(amount.replace(",", rng.choice(" .,")) if rng.random() < 0.75 else amount.replace(",", "")), None))
    return made


if __name__ == "__main__":
    for case in corpus():
        print(json.dumps(case, ensure_ascii=False))
