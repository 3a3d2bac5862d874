"""Members by their names, as the owner's file has them."""

from server.members.schemas import ConsentChange

HEADER = "card,alias,language,interests,disinterests,purposes,quiet,cap\n"


async def member_called(state, alias: str):
    return next(member for member in await state.members.list_members() if member.alias == alias)


async def withdraw(state, alias: str, purpose: str = "recognise") -> None:
    member = await member_called(state, alias)
    await state.members.set_consent(member.member, ConsentChange(purpose=purpose, granted=False))
