"""The names that the sandbox draws from: people, companies, owners, countries. All invented."""

from __future__ import annotations

from typing import NamedTuple


class Country(NamedTuple):
    """A country as the CRM shows it, with its share of the contacts and its habits."""

    name: str
    share: float
    tongue: str
    currency: str
    dial: str
    legal_form: str


COUNTRIES = (
    Country("United States", 36.0, "en", "usd", "+1", "Inc"),
    Country("United Kingdom", 14.0, "en", "gbp", "+44", "Ltd"),
    Country("Germany", 11.5, "de", "eur", "+49", "GmbH"),
    Country("France", 7.5, "fr", "eur", "+33", "SAS"),
    Country("Canada", 6.0, "en", "cad", "+1", "Inc"),
    Country("Netherlands", 5.0, "nl", "eur", "+31", "BV"),
    Country("Australia", 4.0, "en", "aud", "+61", "Pty Ltd"),
    Country("Spain", 3.5, "es", "eur", "+34", "SL"),
    Country("Italy", 3.0, "it", "eur", "+39", "Srl"),
    Country("Sweden", 2.5, "sv", "sek", "+46", "AB"),
    Country("Poland", 2.2, "pl", "eur", "+48", "Sp. z o.o."),
    Country("Ireland", 1.8, "en", "eur", "+353", "Ltd"),
    Country("Austria", 1.2, "de", "eur", "+43", "GmbH"),
    Country("India", 1.0, "in", "usd", "+91", "Pvt Ltd"),
    Country("Switzerland", 0.8, "de", "chf", "+41", "AG"),
)

FIRST_NAMES = {
    "en": "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara "
    "Richard Susan Joseph Jessica Thomas Sarah Daniel Karen Matthew Lisa Anthony Nancy Mark Sandra "
    "Emily Steven Ashley Paul Kimberly Andrew Donna Joshua Michelle Kevin Carol Brian Amanda Grace",
    "de": "Andreas Sabine Stefan Anna Thomas Julia Michael Katrin Jürgen Ursula Markus Claudia "
    "Lukas Lena Jonas Hannah Felix Sophie Matthias Birgit",
    "fr": "Jean Marie Pierre Camille Luc Chloé Antoine Élodie François Hélène Mathieu Aurélie "
    "Nicolas Sylvie Julien Manon",
    "nl": "Jan Anke Pieter Sanne Willem Femke Bram Lotte Daan Marieke Joost Esther",
    "es": "José Carmen Antonio Lucía Javier María Pablo Elena Sergio Marta Álvaro Inés",
    "it": "Marco Giulia Luca Francesca Matteo Chiara Paolo Elisa Andrea Sara",
    "sv": "Lars Anna Erik Karin Johan Åsa Nils Elin Oskar Maja",
    "pl": "Piotr Anna Krzysztof Katarzyna Tomasz Małgorzata Paweł Agnieszka Jakub Zofia",
    "in": "Rahul Priya Amit Anjali Vikram Neha Arjun Divya Sanjay Kavya",
}

LAST_NAMES = {
    "en": "Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Moore Martin "
    "Thompson White Harris Clark Lewis Robinson Walker Young Allen King Wright Scott Hill Green "
    "Adams Baker Nelson Carter Mitchell Roberts Turner Phillips Campbell Parker Evans Edwards "
    "Collins Stewart O'Brien Murphy Kelly Bennett Hughes Foster Powell Webb Sutton Marsh Hale",
    "de": "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Bauer "
    "Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Krüger Vogel Roth",
    "fr": "Martin Bernard Dubois Thomas Robert Petit Durand Leroy Moreau Simon Laurent Lefèvre "
    "Garnier Faure Rousseau Blanc Guérin",
    "nl": "de Jong|Jansen|de Vries|van den Berg|Bakker|Visser|Smit|Meijer|Mulder|Bos|Dekker|Vos",
    "es": "García Fernández González Rodríguez López Martínez Sánchez Pérez Gómez Ruiz Díaz Núñez",
    "it": "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Conti",
    "sv": "Andersson Johansson Karlsson Nilsson Eriksson Larsson Olsson Persson Lindström Åberg",
    "pl": "Nowak Kowalski Wiśniewski Wójcik Kamiński Lewandowski Zieliński Szymański Dąbrowski",
    "in": "Sharma Patel Singh Gupta Reddy Kumar Iyer Nair Mehta Joshi",
}


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COMPANY_HEADS = _words(
    "Alder Amberfield Ashgrove Beacon Birchwood Bluewater Brightline Brook Calder Canyon Cedar "
    "Cinder Clearpath Cobalt Copper Coral Crestview Dawn Delta Driftwood Eastgate Ember Fairhaven "
    "Falcon Fern Flint Foxglove Garnet Glacier Granite Greystone Harbor Hazel Heron Highland "
    "Hollow Indigo Ironwood Ivory Juniper Keystone Lakeside Larch Lighthouse Linden Lumen Maple "
    "Marigold Meadow Meridian Mistral Moss Northgate Oakline Ochre Onyx Orchard Osprey Pebble "
    "Pinecrest Polar Quarry Quill Raven Redwood Ridge Riverbend Rowan Saffron Sandstone Sequoia "
    "Silverlake Slate Solstice Sparrow Spruce Sterling Stonebridge Summit Sycamore Tamarind Teal "
    "Thistle Timber Trellis Tundra Umber Valley Verdant Vesper Walnut Westbrook Willow Windmill "
    "Yarrow Zephyr"
)

COMPANY_TAILS = _words(
    "Logistics Analytics Foods Dental Software Robotics Textiles Interiors Energy Learning Health "
    "Media Travel Outdoor Packaging Security Freight Optics Ceramics Advisory Legal Property "
    "Bikes Coffee Labs Studios Instruments Insurance Networks Farms Apparel Hotels Printing "
    "Engineering Biotech Marine Tools Furniture Events Payments"
)

OWNERS = (
    ("77310211", 26.0),
    ("77310245", 21.0),
    ("77310302", 17.0),
    ("77310388", 12.0),
    ("77310417", 9.0),
    ("77310560", 7.0),
    ("77310611", 5.0),
    ("77310734", 3.0),
)

STAGES = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
)


def names(pool: dict[str, str], tongue: str) -> list[str]:
    """Return one tongue's names; a bar parts names that contain spaces."""
    text = pool[tongue]
    return text.split("|") if "|" in text else text.split()
