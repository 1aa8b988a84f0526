//! What guests have to say, aspect by aspect. Written for this simulator and by hand; whoever reads reviews for aspects
//! has lists of their own, and neither may be copied from the other, or finding would be no test.
//!
//! In clauses `{dish}` stands for a dish of the place, `{drink}` for a drink, `{long}` and `{short}` for a wait, `{person}` for staff.

use super::world::Aspect;

/// What is spoken of, and whether it takes `were`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noun {
    pub name: &'static str,
    pub plural: bool,
}

const fn one(name: &'static str) -> Noun {
    Noun { name, plural: false }
}

const fn many(name: &'static str) -> Noun {
    Noun { name, plural: true }
}

/// The words for one aspect. Adjectives fit every subject; clauses stand by themselves, without capital and full stop.
pub(super) struct Wording {
    pub subjects: &'static [Noun],
    pub great: &'static [&'static str],
    pub good: &'static [&'static str],
    pub fair: &'static [&'static str],
    pub bad: &'static [&'static str],
    pub awful: &'static [&'static str],
    /// With a negation they complain: not fresh.
    pub denied_praise: &'static [&'static str],
    /// With a negation they praise, faintly: not bad.
    pub denied_blame: &'static [&'static str],
    pub praise: &'static [&'static str],
    pub complaint: &'static [&'static str],
    pub sarcasm: &'static [&'static str],
}

pub(super) fn wording(aspect: Aspect) -> &'static Wording {
    match aspect {
        Aspect::Food => &FOOD,
        Aspect::Service => &SERVICE,
        Aspect::Price => &PRICE,
        Aspect::Ambience => &AMBIENCE,
        Aspect::Cleanliness => &CLEANLINESS,
        Aspect::Waiting => &WAITING,
    }
}

const FOOD: Wording = Wording {
    // The grammar adds the dishes of the place.
    subjects: &[
        one("the food"),
        one("everything we ate"),
        one("my main course"),
        one("the lunch"),
        many("the starters"),
    ],
    great: &[
        "delicious",
        "amazing",
        "outstanding",
        "fantastic",
        "incredible",
        "perfectly cooked",
        "out of this world",
        "superb",
    ],
    good: &["tasty", "good", "fresh", "very nice", "well seasoned", "flavorful", "really good"],
    fair: &["ok", "average", "fine", "decent", "okay I guess", "edible"],
    bad: &["bland", "dry", "too salty", "overcooked", "lukewarm", "greasy", "disappointing", "soggy"],
    awful: &["terrible", "inedible", "disgusting", "awful", "stone cold", "burnt", "the worst I have ever had"],
    denied_praise: &["fresh", "tasty", "good", "worth it", "hot", "what I ordered"],
    denied_blame: &["bad", "greasy", "too spicy", "disappointing"],
    praise: &[
        "best {dish} I have had in years",
        "loved the {dish}",
        "I would come back just for the {dish}",
        "try the {dish}, you won't regret it",
        "the {dish} melted in my mouth",
        "you can taste how fresh everything is",
        "huge portions too",
        "we cleaned our plates",
        "can't recommend the {dish} enough",
        "the {dish} is to die for",
    ],
    complaint: &[
        "I sent the {dish} back",
        "the {dish} tasted of nothing",
        "the {dish} came out cold",
        "tiny portions",
        "I got sick from the {dish}",
        "I would not order the {dish} again",
        "the {dish} had clearly been microwaved",
        "they ran out of {dish}",
        "I left half of my {dish}",
    ],
    sarcasm: &[
        "Oh great, cold {dish} again",
        "Yeah right, \"freshly made\" {dish}",
        "Thanks for the food poisoning",
        "Just what I wanted, burnt {dish}",
        "If you love cardboard you will love the {dish}",
    ],
};

const SERVICE: Wording = Wording {
    subjects: &[
        one("the service"),
        one("our {person}"),
        one("the staff"),
        one("our {person}"),
        one("the owner"),
        one("the whole team"),
    ],
    great: &["amazing", "outstanding", "incredibly friendly", "fantastic", "wonderful", "attentive all evening"],
    good: &["friendly", "attentive", "helpful", "polite", "nice", "welcoming", "professional"],
    fair: &["ok", "average", "fine", "nothing special"],
    bad: &["unfriendly", "inattentive", "slow", "not interested", "stressed", "cold"],
    awful: &["rude", "terrible", "horrible", "arrogant", "the worst I have seen", "a joke"],
    denied_praise: &["friendly", "helpful", "attentive", "very welcoming", "professional"],
    denied_blame: &["bad", "slow", "rude", "unfriendly"],
    praise: &[
        "they made us feel at home",
        "our {person} knew the menu by heart",
        "our {person} made the evening",
        "they went out of their way for us",
        "always a smile",
        "they replaced my {drink} without being asked",
        "they even remembered our names",
    ],
    complaint: &[
        "our {person} ignored us",
        "our {person} forgot our {drink} twice",
        "nobody came to take our order",
        "they got the order wrong",
        "nobody said sorry",
        "our {person} rolled his eyes at us",
        "we were rushed out",
        "the manager could not care less",
    ],
    sarcasm: &[
        "What a joy to be ignored all evening",
        "Apparently a smile costs extra here",
        "Sorry for disturbing you at work, dear {person}",
        "Lovely how our {person} had time for the phone but not for us",
    ],
};

const PRICE: Wording = Wording {
    subjects: &[many("the prices"), many("the prices"), many("the wine prices"), many("the lunch prices")],
    great: &["unbeatable", "amazing for what you get", "great", "super low"],
    good: &["fair", "reasonable", "good", "very ok"],
    fair: &["average", "ok", "normal for the area"],
    bad: &["high", "steep", "too high for what you get", "on the high side"],
    awful: &["outrageous", "ridiculous", "insane", "a rip-off"],
    denied_praise: &["fair", "reasonable", "justified", "good"],
    denied_blame: &["bad", "too high", "outrageous"],
    praise: &[
        "great value for money",
        "you get a lot for your money",
        "cheap for this quality",
        "a real bargain",
        "worth every penny",
    ],
    complaint: &[
        "way overpriced",
        "not worth the money",
        "we paid far too much",
        "they charged us for the bread",
        "25 dollars for a {dish}, seriously",
        "there were extras on the bill that we never ordered",
    ],
    sarcasm: &[
        "What a bargain, 9 dollars for a {drink}",
        "Only 40 dollars for a {dish}, how generous",
        "Bring a second credit card",
    ],
};

const AMBIENCE: Wording = Wording {
    subjects: &[
        one("the atmosphere"),
        one("the place"),
        one("the dining room"),
        one("the terrace"),
        one("the decor"),
        one("the room"),
    ],
    great: &["beautiful", "stunning", "lovely", "gorgeous", "just perfect"],
    good: &["cozy", "nice", "pleasant", "charming", "relaxed"],
    fair: &["ok", "simple", "average", "nothing special"],
    bad: &["dated", "too loud", "cramped", "dull", "too dark"],
    awful: &["depressing", "awful", "horrible", "ugly"],
    denied_praise: &["cozy", "inviting", "pleasant", "my taste"],
    denied_blame: &["bad", "too loud", "boring"],
    praise: &[
        "great view from the terrace",
        "perfect for a date",
        "the live music was great",
        "you could sit here for hours",
        "nice music, not too loud",
    ],
    complaint: &[
        "it was so loud we had to shout",
        "we sat right next to the toilets",
        "the music gave me a headache",
        "the tables are far too close together",
        "it was freezing inside",
    ],
    sarcasm: &[
        "Perfect if you like to dine in a nightclub",
        "Nothing says romance like neon light",
        "Love shouting across the table all night",
    ],
};

const CLEANLINESS: Wording = Wording {
    subjects: &[
        many("the bathrooms"),
        one("the floor"),
        many("the tables"),
        many("the glasses"),
        one("the kitchen"),
        one("the restroom"),
    ],
    great: &["spotless", "immaculate", "perfectly clean"],
    good: &["clean", "very clean", "well kept", "nice and clean"],
    fair: &["ok", "acceptable", "average"],
    bad: &["dirty", "sticky", "grubby", "in need of a mop"],
    awful: &["filthy", "disgusting", "gross", "revolting"],
    denied_praise: &["clean", "very clean", "wiped", "hygienic"],
    denied_blame: &["dirty", "sticky"],
    praise: &["everything was spotless", "very clean place", "you could eat off the floor"],
    complaint: &[
        "I found a hair in my {dish}",
        "there was lipstick on my glass",
        "our table had not been wiped",
        "we saw a cockroach",
        "the menus were sticky",
        "it smelled of old grease",
    ],
    sarcasm: &[
        "Love the sticky table, nice touch",
        "The fly in my {drink} was free, how kind",
        "Free hair in every {dish}",
    ],
};

const WAITING: Wording = Wording {
    subjects: &[one("the wait"), one("the wait for our food"), one("the line"), one("the wait for a table")],
    great: &["really short", "surprisingly short", "over in no time"],
    good: &["short", "ok for a Saturday", "worth it"],
    fair: &["ok", "acceptable", "as expected"],
    bad: &["long", "too long", "longer than promised"],
    awful: &["endless", "ridiculous", "unacceptable", "way too long"],
    denied_praise: &["short", "acceptable", "worth it"],
    denied_blame: &["too long", "long", "bad"],
    praise: &[
        "our food came within {short} minutes",
        "we were seated right away",
        "no waiting at all",
        "the {dish} was on the table in {short} minutes",
        "in and out in half an hour",
    ],
    complaint: &[
        "we waited {long} minutes for our {dish}",
        "it took {long} minutes to get a table",
        "{long} minutes for a {drink}",
        "after {long} minutes we left",
        "we had a reservation and still waited {long} minutes",
        "the {dish} took forever",
    ],
    sarcasm: &[
        "Oh wonderful, only {long} minutes for a {drink}",
        "If you enjoy waiting this is the place for you",
        "Great place to grow a beard while you wait",
    ],
};

pub(super) const CUISINES: &[&[Noun]] = &[
    &[
        one("margherita pizza"),
        one("carbonara"),
        one("lasagna"),
        one("tiramisu"),
        many("gnocchi"),
        one("risotto"),
        one("bruschetta"),
        many("ravioli"),
    ],
    &[
        one("ramen"),
        many("gyoza"),
        one("salmon sushi"),
        one("tempura"),
        one("miso soup"),
        many("udon noodles"),
        one("chicken katsu"),
        many("spicy tuna rolls"),
    ],
    &[
        many("tacos"),
        one("burrito"),
        one("guacamole"),
        many("enchiladas"),
        one("quesadilla"),
        many("nachos"),
        many("carnitas"),
        many("churros"),
    ],
    &[
        one("burger"),
        many("fries"),
        one("ribeye"),
        many("ribs"),
        many("onion rings"),
        one("mac and cheese"),
        many("wings"),
        one("pulled pork sandwich"),
    ],
    &[
        one("butter chicken"),
        one("lamb vindaloo"),
        one("garlic naan"),
        many("samosas"),
        one("chicken tikka masala"),
        one("biryani"),
        one("palak paneer"),
        one("dal"),
    ],
    &[
        one("pad thai"),
        one("green curry"),
        many("spring rolls"),
        one("tom yum soup"),
        one("mango sticky rice"),
        one("papaya salad"),
        many("drunken noodles"),
        one("massaman curry"),
    ],
    &[
        one("steak frites"),
        one("onion soup"),
        one("duck confit"),
        one("creme brulee"),
        many("mussels"),
        one("quiche"),
        one("beef tartare"),
        many("escargots"),
    ],
    &[
        many("pancakes"),
        one("eggs benedict"),
        one("avocado toast"),
        one("omelette"),
        many("waffles"),
        one("french toast"),
        one("breakfast burrito"),
        one("granola bowl"),
    ],
];

pub(super) const DRINKS: &[&str] =
    &["beer", "coffee", "glass of wine", "cocktail", "lemonade", "iced tea", "margarita", "cappuccino"];
pub(super) const PERSONS: &[&str] = &["waiter", "waitress", "server", "bartender", "host"];
pub(super) const LONG_MINUTES: &[&str] = &["40", "45", "50", "60", "75", "90"];
pub(super) const SHORT_MINUTES: &[&str] = &["5", "10", "15", "ten"];

pub(super) const OPENERS: &[&str] = &[
    "Came here on {weekday} with {company}",
    "We visited last {weekday}",
    "First time here",
    "Stopped by for lunch",
    "Had dinner here with {company}",
    "Third time at this place",
    "Celebrated a birthday here",
    "Found this place online",
    "Went there with {company}",
    "Our usual {weekday} dinner",
    "A friend told me about this place",
];
pub(super) const WEEKDAYS: &[&str] = &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
pub(super) const COMPANY: &[&str] = &[
    "my family",
    "my wife",
    "my husband",
    "friends",
    "my parents",
    "colleagues",
    "the kids",
    "my girlfriend",
    "my boyfriend",
];

/// By stars, 1 first.
pub(super) const CLOSERS: [&[&str]; 5] = [
    &[
        "Never again",
        "Stay away",
        "Avoid this place",
        "Worst experience in a long time",
        "Save your money",
        "I want my money back",
    ],
    &["Won't be back", "Very disappointed", "There are better places around", "Would not recommend", "Not again"],
    &["Might give it another try", "Just average", "Nothing special", "So so", "It was ok"],
    &["Will be back", "Would recommend", "A nice evening", "Good choice", "We liked it"],
    &[
        "Highly recommend",
        "Can't wait to come back",
        "Our new favorite",
        "Best place in town",
        "Loved it",
        "Five stars",
    ],
];

pub(super) const GLAD_EMOJI: &[&str] = &["😍", "😋", "👍", "❤️", "🔥", "😊", "🥰", "👏"];
pub(super) const SAD_EMOJI: &[&str] = &["😡", "🤮", "👎", "😞", "😠", "🤢"];
pub(super) const EVEN_EMOJI: &[&str] = &["🤷", "😐", "🤔"];
/// What shows that a sentence is not meant so.
pub(super) const SARCASM_MARKS: &[&str] = &["...", " 🙄", " /s", "!", " 😂", ". Not"];

pub(super) const VERY: &[&str] = &["really ", "very ", "so ", "pretty ", "quite "];
/// Joins two clauses that disagree, the first one before it.
pub(super) const CONTRASTS: &[&str] = &[" but ", ", but ", ", although ", ", however ", " though ", ", yet "];
