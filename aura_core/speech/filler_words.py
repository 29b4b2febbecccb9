"""The words of `fillers`, by language: sounds, remarks, and what whisper writes for noise.

Phrases are separated by commas. English ones count in all languages, because whisper writes them
for sounds of any.
"""

from __future__ import annotations

SOUNDS = {
    "en": """
ah, aha, ahem, argh, arr, aw, aww, bah, eek, eh, er, erm, ew, eww, gah, gosh, grr, ha, hah, heh,
hm, hmm, hmph, ho, huh, hum, humph, mhm, mm, mmm, mmhmm, meh, nuh uh, oh, oof, ooh, oops, ouch,
ow, pff, pfft, phew, pooh, psst, shh, sh, tsk, tut, ugh, uh, uhm, um, umm, uhhuh, uhuh, whew,
whoa, whoops, whoopsie, woah, wow, yay, yikes, yippee, yuck, you know, let me see, let me think,
let's see, i see, i mean, oh my god, oh my goodness, oh dear, bless you
""",
    "zh": """
嗯, 呃, 哦, 噢, 喔, 啊, 哎, 唉, 诶, 欸, 呀, 哈, 嘿, 呵, 嘻, 唔, 哼, 哇, 咦, 嘘, 呜, 喂, 哟,
哎哟, 呸, 嘶, 哎呀, 天哪, 我的天
""",
    "de": """
äh, ähm, öh, öhm, hä, tja, ach, ach ja, och, oje, ojemine, puh, uff, hoppla, ups, autsch, aua,
pst, naja, na ja, mal sehen, moment mal, weißt du, ich meine, gesundheit
""",
    "fr": """
euh, heu, hein, ben, bah, bof, aïe, ouille, ouf, oups, zut, chut, hop, tiens, voyons, tu sais,
je veux dire, à tes souhaits
""",
    "es": """
em, ehm, este, pues, ay, uy, uf, ups, ajá, bah, chist, vaya, a ver, o sea, ya sabes, salud
""",
    "it": """
ehm, beh, boh, mah, ahi, uffa, ops, cioè, vediamo, sai, salute
""",
    "pt": """
é, hã, ué, ai, ui, opa, ih, puxa, tipo, sabe, vamos ver, saúde
""",
    "ja": """
えっと, えーと, えーっと, ええと, えと, あの, あのー, あのう, うーん, うん, んー, ん, あ, あー,
え, えー, お, おー, わあ, まあ, ははは, ふふ, しー, なんか, そうだな, へえ, へー
""",
    "ko": """
음, 으음, 어, 어어, 그, 저, 저기, 아, 에, 흠, 하하, 호호, 와, 아이고, 어머, 쉿, 있잖아, 뭐랄까
""",
}
# Words that carry no question by themselves. In front of one they are kept, and they are sent as an
# answer soon after the robot spoke: "okay" may answer its question.
REMARKS = {
    "en": """
okay, ok, alright, right, well, so, yeah, like, thanks, thank you, you, thank you very much,
thank you so much, thanks a lot, excuse me, pardon me
""",
    "zh": """
那个, 这个, 就是, 就是说, 然后, 谢谢, 谢谢你, 好吧, 对了
""",
    "de": """
okay, ok, also, so, gut, na gut, genau, danke, danke schön, vielen dank, na, nun, ja ja
""",
    "fr": """
ok, d'accord, bon, alors, voilà, merci, merci beaucoup, ah bon, bah oui
""",
    "es": """
vale, bueno, bien, entonces, gracias, muchas gracias, claro
""",
    "it": """
ok, allora, bene, va bene, grazie, grazie mille, ecco
""",
    "pt": """
ok, então, bom, bem, está bem, tá, obrigado, obrigada
""",
    "ja": """
はい, ええ, じゃあ, ありがとう, ありがとうございます, なるほど, そう, そうですね
""",
    "ko": """
네, 그래, 그래요, 자, 고마워, 감사합니다, 그러니까, 그렇군요
""",
}
# What whisper writes for sound without words, learnt from the subtitles of videos. Only a text that
# is no more than one of these counts.
SUBTITLES = """
thank you for watching, thanks for watching, please subscribe, subscribe, bye bye,
thank you for watching please subscribe, subtitles by the amara org community, 谢谢观看,
感谢观看, 谢谢收看, 感谢收看, 谢谢大家, 谢谢大家收看, 请订阅, 字幕由amara.org社区提供, 下期再见,
请不吝点赞订阅转发打赏支持明镜与点点栏目, 字幕志愿者 杨茜茜, untertitel der amara.org-community,
untertitelung des zdf 2020, untertitel im auftrag des zdf für funk 2017,
vielen dank fürs zuschauen, danke fürs zuschauen, bis zum nächsten mal,
sous-titres réalisés par la communauté d'amara.org, sous-titrage st' 501,
sous-titrage société radio-canada, merci d'avoir regardé cette vidéo, merci d'avoir regardé,
abonnez-vous, subtítulos realizados por la comunidad de amara.org, gracias por ver el video,
gracias por ver, suscríbete, sottotitoli creati dalla comunità amara.org,
grazie per aver guardato il video, legendas pela comunidade amara.org,
ご視聴ありがとうございました, ご視聴ありがとうございます, チャンネル登録お願いします,
最後までご視聴いただきありがとうございます, 시청해주셔서 감사합니다, 시청해 주셔서 감사합니다,
구독과 좋아요 부탁드립니다, 다음 영상에서 만나요
"""
