/*
 * losing_token.c: a PKCS#11 module before another, which loses what the file named by REASON_TOKEN_FAULT says:
 *
 *   session   all sessions are closed, as when a token is reset; once
 *   login     the user is logged out; once
 *   removed   there is no token, for as long as the file says so
 *
 * What the other module then answers is its own answer.
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static CK_FUNCTION_LIST ours, *theirs;

static int is(const char *fault)
{
    const char *path = getenv("REASON_TOKEN_FAULT");
    char text[16] = "";
    FILE *file = path ? fopen(path, "r") : NULL;

    if (!file)
        return 0;
    if (!fgets(text, sizeof(text), file))
        text[0] = '\0';
    fclose(file);
    return !strcmp(text, fault);
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    CK_SESSION_INFO info;

    if (is("removed"))
        return CKR_DEVICE_REMOVED;
    if (is("session") && theirs->C_GetSessionInfo(session, &info) == CKR_OK) {
        theirs->C_CloseAllSessions(info.slotID);
        unlink(getenv("REASON_TOKEN_FAULT"));
    } else if (is("login")) {
        theirs->C_Logout(session);
        unlink(getenv("REASON_TOKEN_FAULT"));
    }
    return theirs->C_SignInit(session, mechanism, key);
}

static CK_RV slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
    if (!is("removed"))
        return theirs->C_GetSlotList(present, slots, count);
    *count = 0;
    return CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    CK_C_GetFunctionList get;
    void *library = dlopen(getenv("REASON_TOKEN_MODULE"), RTLD_NOW | RTLD_LOCAL);

    if (!library)
        return CKR_GENERAL_ERROR;
    *(void **)&get = dlsym(library, "C_GetFunctionList");
    if (!get || get(&theirs) != CKR_OK)
        return CKR_GENERAL_ERROR;
    ours = *theirs;
    ours.C_SignInit = sign_init;
    ours.C_GetSlotList = slot_list;
    *list = &ours;
    return CKR_OK;
}
