"""What is asked of the demo shelf in words, in English and in Chinese, and what answers it.

Themes were written without looking at what is found, in other words than the films' own; the
Chinese ones are not translations of the English ones word by word, but ask for the same films.
"""

from __future__ import annotations

import numpy as np

from penchant.evaluate.simulate.shelf import films
from penchant.language.words import words

Asked = dict[str, tuple[str, ...]]

NAMES, PARTS = 50, 40
SHORT = {
    "en": ("M", "Z", "Up", "No", "Her", "Moon", "Once", "8½", "Solaris", "WALL-E"),
    "zh": ("她", "爱", "诗", "乱", "月球", "曾经", "八部半", "飞向太空", "机器人总动员", "降临"),
}
ENGLISH: Asked = {
    "stranded alone on the red planet": ("The Martian",),
    "dream within a dream robbery": ("Inception",),
    "chess against the grim reaper": ("The Seventh Seal",),
    "jury deliberation about a murder verdict": ("12 Angry Men",),
    "cooking rodent in a French kitchen": ("Ratatouille",),
    "fish father searching for his lost son": ("Finding Nemo",),
    "house lifted by balloons": ("Up",),
    "giant gorilla in New York": ("King Kong",),
    "swordsmen protect villagers from robbers": ("Seven Samurai", "The Magnificent Seven"),
    "falling in love with an artificial intelligence": ("Her", "Ex Machina"),
    "working alone in a base on the lunar surface": ("Moon",),
    "zombie outbreak on a railway": ("Train to Busan",),
    "the inventor of the atomic bomb": ("Oppenheimer",),
    "newspaper investigation of abuse in the catholic church": ("Spotlight",),
    "poor people infiltrate a rich home": ("Parasite",),
    "bloodsuckers sharing a flat, comedy": ("What We Do in the Shadows",),
    "drum student and abusive teacher": ("Whiplash",),
    "talking to extraterrestrials in their language": ("Arrival",),
    "slavery in the American South": ("12 Years a Slave", "Django Unchained"),
    "emotions inside the mind of a child": ("Inside Out",),
    "erasing memories after a breakup": ("Eternal Sunshine of the Spotless Mind",),
    "attorney defends an innocent Black man in the segregated South": ("To Kill a Mockingbird",),
    "nanny with a magical umbrella": ("Mary Poppins",),
    "prisoners of war dig a tunnel": ("The Great Escape", "Grand Illusion"),
    "mafia dynasty": ("The Godfather", "The Godfather Part II"),
    "possessed child and an exorcism": ("The Exorcist",),
    "robot cleaning up garbage on a deserted planet": ("WALL-E",),
    "motel murderer": ("Psycho",),
    "acrophobia and obsession": ("Vertigo",),
    "mutiny on a Russian warship": ("Battleship Potemkin",),
    "tightrope between the twin towers": ("Man on Wire",),
    "sick old man refused by hospitals": ("The Death of Mr. Lazarescu",),
    "time travel to stop a plague": ("Twelve Monkeys", "12 Monkeys", "La Jetée"),
    "vampire child friendship": ("Let the Right One In",),
    "women samurai revenge": ("Lady Snowblood",),
    "sheriff waits for a gunman's train": ("High Noon",),
    "a theatre actress's ambitious understudy": ("All About Eve",),
    "kung fu meets football": ("Shaolin Soccer",),
    "father and son search for a stolen bike": ("Bicycle Thieves",),
    "newlyweds on a river barge": ("L'Atalante",),
    "photographer spying on neighbours": ("Rear Window",),
    "weatherman trapped in the same day": ("Groundhog Day",),
    "submarine crew under attack": ("Das Boot",),
    "undercover cops and gangsters in Hong Kong": ("Infernal Affairs",),
    "girl works in a spirit bathhouse": ("Spirited Away",),
    "ballet boy from a coal mining town": ("Billy Elliot",),
    "a man with no short-term memory seeks revenge": ("Memento",),
    "a musician jealous of a genius": ("Amadeus",),
    "policeman hunting androids": (
        "Blade Runner",
        "Blade Runner 2049",
    ),
    "prison break with a poster on the wall": ("The Shawshank Redemption",),
    "two women on the run by car": ("Thelma & Louise",),
    "widow living in a van": ("Nomadland",),
    "an orchestra cellist becomes an undertaker": ("Departures",),
    "a child sues his parents": ("Capernaum",),
    "cursed videotape": ("Ring",),
    "silent film star when sound arrives": ("Singin' in the Rain",),
    "con men selling fake stamps": ("Nine Queens",),
    "two sisters and a forest spirit": ("My Neighbor Totoro",),
    "notes in a lunch delivered to the wrong man": ("The Lunchbox",),
    "a Stasi agent spying on an artist": ("The Lives of Others",),
    "father hides the truth of a concentration camp from his child": ("Life Is Beautiful",),
    "an old man travels by lawn mower": ("The Straight Story",),
    "cricket match against the colonial rulers": ("Lagaan",),
    "four wives in a rich household": ("Raise the Red Lantern",),
    "giant worms on a desert planet": (
        "Dune",
        "Dune: Part Two",
    ),
    "romance on a sinking ship": ("Titanic",),
}
CHINESE: Asked = {
    "一个人流落红色星球怎么活下来": ("The Martian",),
    "在梦里偷东西的团伙": ("Inception",),
    "和死神下象棋的骑士": ("The Seventh Seal",),
    "陪审团讨论杀人案": ("12 Angry Men",),
    "会做菜的老鼠": ("Ratatouille",),
    "小鱼走丢了爸爸到处找": ("Finding Nemo",),
    "气球带着房子飞": ("Up",),
    "纽约的大猩猩": ("King Kong",),
    "剑客保护村民打强盗": ("Seven Samurai", "The Magnificent Seven"),
    "和人工智能谈恋爱": ("Her", "Ex Machina"),
    "独自在月亮基地上班": ("Moon",),
    "火车上的僵尸": ("Train to Busan",),
    "原子弹之父": ("Oppenheimer",),
    "报社调查天主教会的丑闻": ("Spotlight",),
    "穷人一家混进有钱人家": ("Parasite",),
    "合租的吸血鬼喜剧": ("What We Do in the Shadows",),
    "学打鼓的学生和变态老师": ("Whiplash",),
    "跟外星人学语言": ("Arrival",),
    "美国南方的黑奴": ("12 Years a Slave", "Django Unchained"),
    "脑子里的情绪小人": ("Inside Out",),
    "分手后删除记忆": ("Eternal Sunshine of the Spotless Mind",),
    "白人律师在种族隔离的南方为黑人辩护": ("To Kill a Mockingbird",),
    "带着雨伞会魔法的保姆": ("Mary Poppins",),
    "战俘挖地道逃跑": ("The Great Escape", "Grand Illusion"),
    "黑手党家族": ("The Godfather", "The Godfather Part II"),
    "被魔鬼附身的小姑娘": ("The Exorcist",),
    "捡垃圾的机器人": ("WALL-E",),
    "汽车旅馆里的变态杀人狂": ("Psycho",),
    "害怕高处的侦探": ("Vertigo",),
    "沙俄水兵起义": ("Battleship Potemkin",),
    "在双子塔之间走钢索": ("Man on Wire",),
    "老人生病医院不收": ("The Death of Mr. Lazarescu",),
    "回到过去阻止病毒": ("Twelve Monkeys", "12 Monkeys", "La Jetée"),
    "小男孩和吸血鬼女孩做朋友": ("Let the Right One In",),
    "女剑客报仇": ("Lady Snowblood",),
    "警长等着仇人坐火车来": ("High Noon",),
    "顶替大明星的心机女演员": ("All About Eve",),
    "功夫和足球结合的喜剧": ("Shaolin Soccer",),
    "父子俩找丢掉的自行车": ("Bicycle Thieves",),
    "住在船上的新婚夫妻": ("L'Atalante",),
    "偷看邻居的摄影师": ("Rear Window",),
    "每天重复同一天的人": ("Groundhog Day",),
    "德国潜水艇里的士兵": ("Das Boot",),
    "警察卧底和黑帮内鬼": ("Infernal Affairs",),
    "小姑娘在澡堂给神仙打工": ("Spirited Away",),
    "矿工的儿子想跳芭蕾": ("Billy Elliot",),
    "得了失忆症的人为妻子报仇": ("Memento",),
    "嫉妒天才的宫廷作曲家": ("Amadeus",),
    "追杀仿生人的警探": (
        "Blade Runner",
        "Blade Runner 2049",
    ),
    "银行家越狱": ("The Shawshank Redemption",),
    "两个女人开车逃亡": ("Thelma & Louise",),
    "丈夫去世后住在房车里的女人": ("Nomadland",),
    "给死人化妆的职业": ("Departures",),
    "小孩告自己的爸爸妈妈": ("Capernaum",),
    "看了就会死的录像": ("Ring",),
    "无声电影转向有声时代的歌舞片": ("Singin' in the Rain",),
    "骗子卖假邮票": ("Nine Queens",),
    "姐妹俩遇见森林精灵": ("My Neighbor Totoro",),
    "送错的饭盒": ("The Lunchbox",),
    "监听作家的东德秘密警察": ("The Lives of Others",),
    "爸爸骗孩子集中营是做游戏": ("Life Is Beautiful",),
    "骑割草机旅行的老头": ("The Straight Story",),
    "打板球赢英国人": ("Lagaan",),
    "旧社会大户人家的姨太太争宠": ("Raise the Red Lantern",),
    "沙漠行星上的巨型虫子": (
        "Dune",
        "Dune: Part Two",
    ),
    "沉船上的爱情": ("Titanic",),
}


def questions(language: str, rng: np.random.Generator) -> dict[str, Asked]:
    """Return for each sort of question what is asked in "en" or "zh", and the ids that answer."""
    column = {"en": "title", "zh": "title_zh"}[language]
    rows = films().select("item_id", "title", name=column).rows()
    titles = list(dict.fromkeys(name for _, _, name in rows))
    drawn = (*SHORT[language], *rng.choice(titles, NAMES, replace=False).tolist())
    exact = {one: _ids(rows, one) for one in dict.fromkeys(drawn[:NAMES])}
    parts: Asked = {}
    for title in rng.permutation(titles).tolist():
        found = words(title)
        if len(found) < 3 or len(parts) == PARTS:
            continue
        start = int(rng.integers(len(found) - 1))
        one, other = found[start : start + 2]
        if language == "zh" and one[1:] != other[:-1]:
            continue  # what a mark parts is no word that anybody types
        part = f"{one} {other}" if language == "en" else one + other[-1]
        # Those with the part in their name: a part of two names is answered by either.
        wanted = tuple(
            item_id
            for item_id, _, name in rows
            if f" {one} {other} " in f" {' '.join(words(name))} "
        )
        if len(wanted) <= 2:
            parts[part] = wanted
    themes = {"en": ENGLISH, "zh": CHINESE}[language]
    known = {
        text: tuple(item_id for item_id, title, _ in rows if title in wanted)
        for text, wanted in themes.items()
    }
    return {
        "name": exact,
        "part of a name": parts,
        "theme": {text: wanted for text, wanted in known.items() if wanted},
    }


def _ids(rows: list[tuple[str, str, str]], name: str) -> tuple[str, ...]:
    return tuple(item_id for item_id, _, other in rows if other == name)
