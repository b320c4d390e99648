"""The words of the tales: each list begins with its commonest word, which is drawn most often.

A slot {word} stands for an entry of another list, or for something that the tale remembers.
"""


def entries(text: str) -> tuple[str, ...]:
    """The entries of a list that is written with bars between them."""
    return tuple(" ".join(entry.split()) for entry in text.split("|"))


# what can be seen and heard in each country: its scenery stays with the tale until it moves on
GROUND = {
    "forest": entries(
        """leaves|branches|moss|roots|ferns|oaks|brambles|mushrooms|pine needles|hazel bushes
        |foxgloves"""
    ),
    "moor": entries("heather|grass|stones|peat|gorse|pools|rushes|sheep tracks|juniper bushes"),
    "valley": entries("fields|roofs|meadows|barley|brook|hedges|haystacks|cornfields|vineyards"),
    "desert": entries("sand|stones|ruins|salt|thorn bushes|bones|dry wells|quartz|lizard tracks"),
    "marsh": entries("water|reeds|mud|willows|pools|rushes|duckweed|bulrushes|mosquitoes"),
    "plain": entries("grass|road|wheat|furrows|fields|poppies|thistles|dandelions|oxcarts"),
    "jungle": entries("vines|leaves|river|ferns|palms|orchids|bamboo|jaguar tracks|creepers"),
    "highland": entries("rocks|snow|slopes|pines|ridges|cattle|summits|gullies|larches"),
    "canyon": entries("rocks|walls|ledges|echoes|river|cactuses|boulders|rapids|precipices"),
    "orchard": entries("trees|apples|grass|blossoms|ladders|beehives|plums|cherries|quinces"),
    "glacier": entries("ice|snow|frost|boulders|frozen waves|crevasses|icicles|zigzag cracks"),
    "dunes": entries("sand|waves|shells|foam|boats|driftwood|nets|seaweed|jellyfish"),
}

WORDS = {
    "country": tuple(GROUND),
    # people and beasts
    "name of a woman": entries(
        """Alice|Clara|Rose|Anna|Martha|Grace|Lucy|Ellen|Ivy|Flora|Judith|Beatrix|Hazel|Nora|Sylvia
        |Josephine|Agnes|Miranda|Viola|Winifred|Eliza|Zoe|Esther|Roxana|Phoebe|Harriet|Dorothy|Maxine
        |Octavia|Jacquetta|Zelda|Ursula|Penelope|Queenie"""
    ),
    "name of a man": entries(
        """John|Peter|Thomas|Hugh|Martin|Oliver|Jasper|Felix|Walter|Simon|Max|Edmund|Victor|George|Owen
        |Quentin|Ralph|Ezra|Arthur|Luke|Barnaby|Conrad|Gilbert|Ambrose|Rufus|Alexander|Isaac|Jonas
        |Leopold|Ulric|Xavier|Zachary|Benedict|Jeremy"""
    ),
    "kind": entries(
        """miller|weaver|gardener|shepherd|baker|traveller|carpenter|sailor|painter|clockmaker
        |student|fisher|tailor|doctor|inventor|joiner|lamplighter|librarian|jeweller|mapmaker|potter
        |apprentice|juggler|quilter|beekeeper|piper|glazier|alchemist|lockmaker|typesetter"""
    ),
    "relative": entries(
        """mother|father|sister|brother|grandmother|uncle|aunt|grandfather|cousin|godmother
        |stepfather|niece|nephew"""
    ),
    "guide": entries(
        """fox|raven|woman|hermit|owl|stranger|hare|king|queen|badger|beggar|giant|pilgrim|tortoise
        |witch|hedgehog|otter|wizard|lizard|monk|squirrel|jackdaw|ferryman|lynx|quail|tinker|judge
        |ox|knight|exile|zebra"""
    ),
    "watcher": entries(
        """dog|guard|wolf|dragon|porter|soldier|bear|serpent|goose|ogre|jackal|sphinx|griffin|lion
        |bull|ape"""
    ),
    "bird": entries(
        """nightingale|lark|thrush|cuckoo|blackbird|dove|robin|swan|heron|finch|wren|magpie|jay
        |kingfisher|woodpecker"""
    ),
    "trait": entries(
        """poor|young|quiet|humble|clever|proud|lonely|kind|lazy|brave|gentle|curious|foolish|patient
        |cheerful|stubborn|modest|anxious|dreamy|thrifty|jolly|zealous|quarrelsome|absent-minded"""
    ),
    "humour": entries(
        """old|grey|lame|wise|thin|friendly|sleepy|ragged|blind|solemn|jolly|anxious|quiet|lazy
        |yellow-eyed|vain|extraordinary|grizzled|dignified|moth-eaten"""
    ),
    "feeling": entries(
        """tired|cold|afraid|sad|hungry|angry|lonely|ashamed|weary|thirsty|uneasy|puzzled|dizzy
        |restless|bewildered|vexed"""
    ),
    "walker": entries(
        """soldier|merchant|priest|widow|boy|girl|drover|pedlar|postman|cook|thief|singer|nun|clown
        |juggler|goatherd|bride|duke|squire|acrobat|taxidermist"""
    ),
    "limb": entries("knee|hand|foot|shoulder|ankle|elbow|wrist|thumb|jaw"),
    # places
    "name": entries(
        """Marlow|Fenwick|Brindle|Ashby|Oxley|Jarrow|Quenby|Zennor|Thornton|Elmstead|Upwell|Exmoor
        |Wexcombe|Harrow|Dunmore|Kirkby|Pendle|Ravensby|Juniper Hill|Zealby|Yarrow|Quill Bay"""
    ),
    "town": entries(
        """village|town|city|market town|hamlet|port|parish|fishing village|borough|free city
        |mining town"""
    ),
    "part": entries(
        """edge|end|border|northern edge|very end|western border|upper end|entrance|southern edge
        |outermost edge"""
    ),
    "spot": entries(
        """oak|bridge|well|tower|chapel|cave|mill|windmill|gallows|waterfall|yew|ruin|statue|boulder
        |sundial|lighthouse|signpost|milestone|cairn|broken axle"""
    ),
    "room": entries(
        """kitchen|cellar|attic|hall|library|workshop|pantry|chamber|parlour|gallery|toolshed
        |belfry"""
    ),
    "barrier": entries(
        """wall|gate|hedge|fence|cliff|thicket|rampart|palisade|wall of ice|bronze gate
        |hedge of thorns|barricade"""
    ),
    # things
    "object": entries(
        """key|lamp|clock|ring|book|mirror|bell|crown|box|map|flute|rose|feather|sword|lantern
        |violin|jewel|compass|cup|coin|cloak|seed|telescope|horn|apple|egg|pearl|axe|quilt|goblet
        |orchid|chest|necklace|puppet|kite|saddle|opal|harp|scarf|zither|inkwell|barometer|idol
        |umbrella|chessboard|music box|hatbox|jug"""
    ),
    "look": entries(
        """silver|golden|small|old|blue|glass|iron|wooden|broken|red|white|copper|black|ancient|green
        |crystal|frozen|jade|forgotten|amber|ivory|velvet|crimson|painted|enchanted|hollow|bronze
        |precious|emerald|jewelled|invisible|exquisite|unfinished|azure|marble|speckled|zinc
        |quartz|onyx|waxen"""
    ),
    "colour": entries(
        "grey|green|red|black|blue|white|brown|yellow|purple|scarlet|patched|velvet|azure|ragged"
    ),
    "thing": entries("{look} {object}|{object}|very old {object}|{object} of great value"),
    "gift": entries(
        """rope|whistle|candle|loaf of bread|piece of chalk|jar of honey|pinch of salt|bunch of keys
        |box of matches|ball of thread|pair of gloves|walking stick|flask of water|bag of oats
        |hammer|jug of milk|handful of nails|quill|spade|wax doll"""
    ),
    # what the road is like
    "weather": entries(
        """wind|rain|mist|snow|fog|storm|north wind|smoke|dust of the road|frost|breeze|drizzle
        |hail"""
    ),
    "light": entries(
        """moon|sun|light of the evening|light of the stars|first light of the day|last of the light
        |glow of the west|shadow of the clouds|blaze of noon|lightning"""
    ),
    "pale": entries(
        """cold|pale|grey|soft|bitter|bright|thin|quiet|strange|heavy|faint|warm|gentle|sullen|hazy
        |sudden|lazy"""
    ),
    "blew": entries("swept over|drifted across|came down upon|moved along|crept over|raced across"),
    "fell": entries(
        "lay upon|shone upon|fell across|faded from|trembled on|gleamed on|blazed upon"
    ),
    "sang": entries("sang|called|cried|was singing|fell silent|answered"),
    "slowly": entries(
        """slowly|softly|alone|in silence|without a word|for a long while|quietly
        |at last|sadly|in haste|with great care|joyfully|gingerly|lazily|expectantly|anxiously"""
    ),
    "walked": entries(
        """walked|went|wandered|hurried|ran|rode|limped|marched|journeyed|trudged|strolled|jogged
        |crawled|galloped"""
    ),
    "along": entries("through|across|towards|along the edge of|past|beyond|as far as"),
    "clear": entries("cold|warm|grey|quiet|bright|strange|clear|dark|hazy|mild|windless|glorious"),
    "morning": entries(
        """morning|evening|night|day|spring morning|winter evening|autumn day|summer night|Sunday
        |Monday|market day|midwinter night"""
    ),
    "said": entries("said|answered|replied|whispered|cried|murmured|laughed|sighed|exclaimed"),
    "asked": entries("asked|inquired|demanded|wondered"),
    "some": entries("two|three|seven|four|ten|six|five|nine|twelve|eight|twenty|sixty|a dozen"),
    "days": entries("days|hours|weeks|nights|months"),
    "miles": entries("miles|leagues|days"),
    # what the tale is good for
    "virtue": entries(
        """patience|courage|kindness|a good friend|an honest word|hope|a quiet heart|friendship
        |wisdom|modesty|a clear question|honest work|curiosity|laughter|justice"""
    ),
    "riches": entries(
        """gold|silver|strength|a full purse|a crown|haste|a sharp sword|a fine coat|cunning|luck
        |a loud voice|a palace|a chest of jewels|pride|an army|the favour of a king|speed"""
    ),
}

# phrases and asides, each as often as the others
ASIDES = {
    "reason": entries(
        """{his} {relative} had lost one on the road to the {country}
        |{he} had heard of such a thing in an old song
        |whoever had such a thing, people said, would never be {feeling} again
        |there was no other cure for {his} {relative}, who was ill
        |{he} was tired of the quiet life in {name}
        |a {walker} had told {him} of it in the {room} of the mill"""
    ),
    "method": entries(
        """to climb over the {barrier}|to dig beneath it|to walk around it
        |to bribe the {watcher} with a {thing}|to please the {watcher} with a song
        |to wait until the {watcher} was asleep|to creep past the {watcher} in the {weather}
        |to jump across|to talk to the {watcher} about {virtue}"""
    ),
    "setback": entries(
        """the {watcher} woke and {he} ran for {his} life|{he} fell and hurt {his} {limb}
        |the {weather} {blew} the {ground} and {he} lost {his} way|{his} courage failed {him}
        |the {barrier} was too high for {him}|the {watcher} only laughed at {him}
        |night fell before {he} was half way|{he} was {feeling} and gave up too soon
        |{he} had not slept for {some} nights|a {walker} came by and called {him} a fool"""
    ),
    "sight": entries(
        """a {spot}|a {thing} on a {spot}|a {humour} {bird}|a {walker} with a {thing}
        |a {humour} {walker} beside {sight}|a {bird} in the {ground}|a {colour} flag
        |the house of a {walker}|the shadow of a {spot}"""
    ),
    "scene": entries(
        """The {light} {fell} the {ground} of the {country}.
        |The {weather} {blew} the {ground}, and the {light} {fell} the {ground}.
        |Somewhere a {bird} {sang}.
        |A {pale} {weather} {blew} the {ground}, and {hero} was {feeling}.
        |It was a {clear} {morning}, and a {bird} {sang} in the {ground}.
        |{He} saw {sight}, and a little farther on {sight}.
        |There was no one to be seen in the whole of the {country}, and nothing to be heard but,
        now and then, a {bird}.
        |{He} passed {sight}, and {walked} {slowly} {along} the {country}.
        |"It is {some} {miles} to the next {spot}," said a {walker} who came the other way.
        |A {walker} asked {him} for news from {name}, but {he} knew of none.
        |Who had left a {thing} in the {ground}? {hero} did not touch it.
        |Where the map showed a {spot}, {he} found {sight}.
        |{He} rested in the {ground} until the {weather} {blew} {sight}.
        |That {morning} {he} shared {his} bread with a {walker}, and the {walker} who owned {sight}
        gave them milk.
        |What {he} had taken for {sight} was only {sight}."""
    ),
    "thought": entries(
        """{He} thought of {his} {relative} in the {room}, and of the {wish}.
        |At night {he} slept beside a {spot} and dreamed of the {wish}.
        |{He} was {feeling} and {feeling}, but {he} did not turn back.
        |"What would my {relative} say," {he} asked {himself}, "if I came home without the {wish}?"
        |In the evening {he} sang to {himself}, and the song was about {sight}.
        |{He} counted {his} coins: there were {some} of them, and bread was dear.
        |For {some} {days} {he} met nobody but a {humour} {walker}, who wanted to sell {him} a
        {thing}.
        |An old saying came into {his} mind: "{Virtue} is worth more than {riches}."
        |If only {his} {relative} could see this, {he} thought, and {he} was {feeling} no more.
        |{He} tried to remember the smell of the {room}, but all that came back was {sight}."""
    ),
}
